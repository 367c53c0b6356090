/** A screen that remembers what it was told. */
import type { Screen } from '../../src/cli/screen.ts';

export class RecordedScreen implements Screen {
  readonly isLive: boolean;
  readonly printed: string[] = [];
  readonly drawn: string[] = [];

  constructor(isLive: boolean) {
    this.isLive = isLive;
  }

  print(line: string): void {
    this.printed.push(line);
  }

  draw(line: string): void {
    this.drawn.push(line);
  }

  end(): void {
    this.drawn.push('(end)');
  }
}
