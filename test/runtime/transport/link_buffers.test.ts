import { expect, test } from 'vitest';
import { LinkBuffers } from '../../../src/runtime/transport/link_buffers.ts';

test('a lent buffer is taken again when its mark is confirmed, and not before', () => {
  const buffers = new LinkBuffers();
  const first = buffers.take(100_000);
  buffers.lend(first, 100);
  const second = buffers.take(100_000);
  buffers.lend(second, 200);
  buffers.confirmed(99);
  expect(buffers.take(100_000).buffer).not.toBe(first.buffer);
  buffers.confirmed(100);
  expect(buffers.take(90_000).buffer).not.toBe(second.buffer);
  expect(buffers.take(100_000).buffer).toBe(first.buffer);
  buffers.confirmed(1_000);
  expect(buffers.take(100_000).buffer).toBe(second.buffer);
});

test('what was lent when the connection was lost is not taken again', () => {
  const buffers = new LinkBuffers();
  const lent = buffers.take(5000);
  buffers.lend(lent, 100);
  buffers.forget();
  buffers.confirmed(100);
  expect(buffers.take(5000).buffer).not.toBe(lent.buffer);
});

test('a buffer has the length that was asked for, and at most a fifth of its memory is unused', () => {
  const buffers = new LinkBuffers();
  for (const bytes of [4096, 4097, 5000, 65_536, 65_537, 66_112, 262_144, 1_000_000]) {
    const { length, buffer } = buffers.take(bytes);
    expect(length).toBe(bytes);
    expect(buffer.byteLength).toBeLessThanOrEqual(Math.max(4096, 1.25 * (bytes + 258)));
  }
});
