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

test('what is not acknowledged goes out again after a while, and at once when the connection is back', () => {
  const { outbox, counters, offer } = outboxOf();
  offer('0', '1');
  outbox.due(0);
  expect([outbox.due(99).length, outbox.due(100).length, counters.resent]).toEqual([0, 2, 2]);
  outbox.reconnected();
  expect([outbox.due(101).length, counters.resent]).toEqual([2, 4]);
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
    'link to b: a message of 81 bytes; send at most 80, or raise maxFrameBytes on all nodes',
  );
});
