import { expect, test } from 'vitest';
import { blank } from '../../../src/runtime/transport/codec.ts';
import { TextFrames } from '../../../src/runtime/transport/thread_text.ts';

test('frames become text and bytes again, wherever in their memory they lie', () => {
  const texts = new TextFrames();
  const memory = Uint8Array.from({ length: 600 }, (_, i) => i);
  const opened = blank();
  for (const [start, length] of [
    [0, 10],
    [10, 300],
    [10, 20],
    [256, 344],
    [0, 600],
  ]) {
    const bytes = memory.subarray(start, start + length);
    texts.open(texts.toText({ ...blank(), bytes, length }), opened);
    expect(opened.bytes.subarray(0, opened.length)).toEqual(Buffer.from(bytes));
  }
});
