/** Where progress is drawn in place, and where it is not. */
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { Output } from '../../src/cli/output.ts';
import { screenOf } from '../../src/cli/screen.ts';

/** The terminal's command to erase the line that the cursor is in. */
const eraseLine = `${String.fromCharCode(27)}[2K`;

function streamOf(properties: { isTTY?: boolean; columns?: number; rows?: number }) {
  const stream = Object.assign(new PassThrough(), properties);
  return { stream, text: (): string => String(stream.read() ?? '') };
}

test.each([
  ['a pipe', {}],
  ['a terminal that does not know its width', { isTTY: true, columns: 0 }],
])('%s gets the lines that stay and nothing else', async (_what, properties) => {
  const { stream, text } = streamOf(properties);
  const screen = await screenOf(stream, new Output(stream, 'a stream'));
  screen.draw('step 1');
  screen.print('ready');
  screen.draw('step 2');
  screen.end();
  expect(screen.isLive).toBe(false);
  expect(text()).toBe('ready\n');
});

test('a terminal gets the live line too, and a line that stays takes its place', async () => {
  const { stream, text } = streamOf({ isTTY: true, columns: 80, rows: 24 });
  const screen = await screenOf(stream, new Output(stream, 'a stream'));
  expect(screen.isLive).toBe(true);
  screen.draw('step 1');
  expect(text()).toContain('step 1\n');
  screen.print('ready');
  const afterPrint = text();
  expect(afterPrint.indexOf(eraseLine)).toBeGreaterThanOrEqual(0);
  expect(afterPrint.endsWith('ready\n')).toBe(true);
  screen.draw('step 2');
  screen.end();
  expect(text()).toContain('step 2\n');
});
