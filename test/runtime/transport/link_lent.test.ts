import { expect, test } from 'vitest';
import { LinkSender } from '../../../src/runtime/transport/link_sender.ts';
import { CHUNK_BYTES, ReceivingEnd, SENDER } from './link_kit.ts';

const LONG = 'a message of more than two chunks, cut in three';

test('chunks whose memory is only lent make the same frames, in whatever order they come', () => {
  const end = new ReceivingEnd({ isLent: true });
  const sender = new LinkSender(SENDER, CHUNK_BYTES);
  const [a, b, c, short] = [LONG, 'short'].flatMap((text) => sender.cut([Buffer.from(text)]));
  const memory = Buffer.alloc(CHUNK_BYTES);
  for (const chunk of [c, a, b, short]) {
    memory.set(chunk);
    end.arrive(memory.subarray(0, chunk.length));
    memory.fill(0xff);
  }
  expect([end.texts, end.faults]).toEqual([[LONG, 'short'], []]);
  expect(end.places.includes(memory.buffer)).toBe(false);
});
