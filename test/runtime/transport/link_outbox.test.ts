import { expect, test } from 'vitest';
import { mix } from '../../../src/runtime/testing/random.ts';
import { LinkCounters } from '../../../src/runtime/transport/link_counters.ts';
import { LINK_LIMITS } from '../../../src/runtime/transport/link_limits.ts';
import { LinkOutbox } from '../../../src/runtime/transport/link_outbox.ts';
import { CHUNK_BYTES, ReceivingEnd, SENDER } from './link_kit.ts';

function outboxOf(limits: Partial<typeof LINK_LIMITS> = {}) {
  const counters = new LinkCounters();
  const own = { ...LINK_LIMITS, chunkBytes: CHUNK_BYTES, windowChunks: 3, retryMs: 100, ...limits };
  const outbox = new LinkOutbox({ to: 'b', identity: SENDER, limits: own, counters });
  const offer = (...texts: string[]): unknown[] => texts.map((text) => outbox.offer([Buffer.from(text)]));
  return { outbox, counters, offer };
}

test('chunks leave a window at a time, as those before them are acknowledged', () => {
  const { outbox, offer } = outboxOf();
  expect(offer('0', '1', '2', '3', '4')).toEqual([null, null, null, null, null]);
  expect(outbox.due(0)).toHaveLength(3);
  expect(outbox.due(1)).toHaveLength(0);
  outbox.acknowledged(2);
  expect(outbox.due(2)).toHaveLength(2);
  outbox.acknowledged(5);
  expect(outbox.isEmpty).toBe(true);
});

test('no more bytes are under way than the window holds, and one chunk', () => {
  const { outbox, offer } = outboxOf({ windowChunks: 64, unacknowledgedBytes: 3 * CHUNK_BYTES });
  offer(...Array.from({ length: 10 }, () => 'x'.repeat(CHUNK_BYTES - 64)));
  expect(outbox.due(0)).toHaveLength(3);
  outbox.acknowledged(1);
  expect(outbox.due(1)).toHaveLength(1);
  outbox.reconnected();
  expect(outbox.due(2)).toHaveLength(3);
});

test('the oldest goes out again after a while that doubles, and all at once when the connection is back', () => {
  const { outbox, counters, offer } = outboxOf();
  offer('0', '1');
  const isDue = (nowMs: number): number => outbox.due(nowMs).length;
  expect([0, 99, 100, 299, 300, 699, 700, 1_499, 1_500, 2_299, 2_300].map(isDue)).toEqual([
    2, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1,
  ]);
  expect(counters.resent).toBe(5);
  outbox.reconnected();
  expect([2_301, 2_400, 2_401].map(isDue)).toEqual([2, 0, 1]);
  expect(counters.resent).toBe(8);
});

test('the wait begins anew when others are acknowledged', () => {
  const { outbox, offer } = outboxOf();
  offer('0', '1');
  outbox.due(0);
  outbox.acknowledged(1, 1, 90);
  expect([100, 189, 190].map((nowMs) => outbox.due(nowMs).length)).toEqual([0, 0, 1]);
});

test('what may still be in the client is not sent again', () => {
  const { outbox, offer } = outboxOf();
  offer('0');
  outbox.due(0);
  expect([outbox.attempt, outbox.due(500, 0).length, outbox.due(500, 1).length]).toEqual([1, 0, 1]);
  expect([outbox.attempt, outbox.due(5_000, 1).length, outbox.due(5_000, 2).length]).toEqual([2, 0, 1]);
});

test('a chunk that a later one has overtaken is sent again at once, and then only after a while', () => {
  const { outbox, counters, offer } = outboxOf();
  offer('0', '1', '2');
  outbox.due(0);
  outbox.acknowledged(0, 3, 1);
  expect([1, 2, 100, 101].map((nowMs) => outbox.due(nowMs).length)).toEqual([1, 0, 0, 1]);
  // The repeat has come, and what left before it has not.
  outbox.acknowledged(1, 5, 102);
  expect([outbox.due(102).length, counters.resent]).toEqual([1, 3]);
  // What left is known here: of an attempt that did not, only the rest of the acknowledgement counts.
  outbox.acknowledged(2, 9, 103);
  expect([outbox.due(103).length, counters.malformed]).toEqual([1, 1]);
  outbox.acknowledged(3, 9, 104);
  expect([outbox.isEmpty, counters.malformed]).toEqual([true, 2]);
});

test('an acknowledgement that is late, repeated or beyond what was sent changes nothing, the last is counted', () => {
  const { outbox, counters, offer } = outboxOf();
  offer('0', '1', '2');
  outbox.due(0);
  outbox.acknowledged(2);
  outbox.acknowledged(1);
  expect(counters.malformed).toBe(0);
  outbox.acknowledged(4);
  expect([outbox.isEmpty, counters.malformed]).toEqual([false, 1]);
  outbox.acknowledged(3);
  expect(outbox.isEmpty).toBe(true);
});

test('over a lossy network every message arrives once and in order', () => {
  const { outbox, counters, offer } = outboxOf();
  const end = new ReceivingEnd({ strict: false });
  const texts = Array.from({ length: 30 }, (_, i) => `message ${i}, longer than one chunk`);
  offer(...texts);
  let sent = 0;
  let nowMs = 0;
  for (; !outbox.isEmpty && nowMs < 100_000; nowMs += 50) {
    for (const chunk of outbox.due(nowMs)) if (mix(1, sent++) % 3 !== 0) end.take(chunk, nowMs);
    if (mix(2, nowMs) % 2 === 0) outbox.acknowledged(end.receiver.expected);
  }
  expect([outbox.isEmpty, counters.resent > 0]).toEqual([true, true]);
  expect(end.texts).toEqual(texts);
});

test('a receiver that starts anew goes on where its predecessor was', () => {
  const { outbox, offer } = outboxOf();
  offer('0', '1', '2');
  outbox.due(0);
  outbox.acknowledged(2);
  const successor = new ReceivingEnd({ strict: false });
  outbox.due(100).forEach((chunk) => successor.take(chunk));
  expect([successor.texts, successor.receiver.expected]).toEqual([['2'], 3]);
});

test('too much that waits is refused, and a message that no link carries is an error', () => {
  const { offer } = outboxOf({ maxQueuedBytes: 100, maxFrameBytes: 80 });
  expect(offer('x'.repeat(50), 'y'.repeat(50))[1]).toMatchObject({ kind: 'overflow', limitBytes: 100 });
  expect(() => offer('z'.repeat(81))).toThrow(
    'link to b: a message of 81 bytes, where at most 80 are taken; send less at once',
  );
});
