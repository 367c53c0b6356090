/** What a model writes: on a terminal its control characters are shown, elsewhere they are written. */
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { textWriter, visibleText } from '../src/visible_text.ts';

const text = 'a\u001b[31mred\u0007\tb\r\n\u009b2J\u007f\u0000é世\u00a0';

describe('text of a model', () => {
  test('has its control characters shown, but for tabs and line breaks', () => {
    expect(visibleText(text)).toBe('a\\x1b[31mred\\x07\tb\\x0d\n\\x9b2J\\x7f\\x00é世\u00a0');
  });

  test('is shown so on a terminal, and reaches a pipe as it is', () => {
    const written = (isTerminal: boolean): string => {
      const stream = new PassThrough({ encoding: 'utf8' });
      textWriter(stream, isTerminal)(text);
      return String(stream.read());
    };
    expect(written(true)).toBe(visibleText(text));
    expect(written(false)).toBe(text);
  });
});
