/**
 * Where progress goes: lines that stay, and one that is overwritten. On a terminal the live line is redrawn in place;
 * anywhere else (a file, a pipe) there is none, and only lines that stay are written.
 */
import type { Output } from './output.ts';

export interface Screen {
  /** Whether a live line is drawn. */
  readonly isLive: boolean;
  /** Writes a line that stays. */
  print(line: string): void;
  /** Draws the live line over the one before it. */
  draw(line: string): void;
  /** Ends the live line, leaving it on the screen. */
  end(): void;
}

/** What a screen needs to know of a stream; `process.stdout` is one. */
export type ScreenStream = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };

/**
 * The screen of a stream, whose lines that stay are written by `output`; colours follow the terminal and `NO_COLOR` where
 * they are made.
 */
export async function screenOf(stream: ScreenStream, output: Pick<Output, 'print'>): Promise<Screen> {
  // Some terminals, of containers above all, do not know their width; a line cannot be redrawn there.
  if (stream.isTTY !== true || stream.columns === 0) {
    return {
      isLive: false,
      print: (line) => output.print(line),
      draw: () => undefined,
      end: () => undefined,
    };
  }
  // Its tables of characters take a third of the time that the command needs to start.
  const { createLogUpdate } = await import('log-update');
  const live = createLogUpdate(stream);
  return {
    isLive: true,
    print: (line) => {
      live.clear();
      output.print(line);
    },
    draw: (line) => live(line),
    end: () => live.done(),
  };
}
