/** Control over networks slower than the sender: it takes the time of its bytes, and little is sent twice. */

import { expect, test } from 'vitest';
import { LINK_LIMITS } from '../../../src/runtime/transport/link_limits.ts';
import { SlowWire } from './slow_wire.ts';

const MIB = 2 ** 20;
const { unacknowledgedBytes, chunkBytes, windowChunks } = LINK_LIMITS;

test.each([
  { bytesPerSecond: 12.5e6, frames: 1, frameBytes: 64 * MIB },
  { bytesPerSecond: 12.5e6, frames: 8, frameBytes: 12 * MIB },
  { bytesPerSecond: 1e6, frames: 2, frameBytes: 8 * MIB },
  { bytesPerSecond: 0.1e6, frames: 1, frameBytes: 4 * MIB },
])('$frames frames of $frameBytes bytes at $bytesPerSecond bytes a second arrive in their time, once', async (wire) => {
  const { frames, frameBytes, bytesPerSecond } = wire;
  const network = new SlowWire(wire);
  const bytes = frames * frameBytes;
  const idealMs = (bytes / bytesPerSecond) * 1_000;
  const sent = Array.from({ length: frames }, (_, i) => i);
  for (const i of sent) network.send(i, frameBytes);
  await network.clock.advance(1.3 * idealMs);
  expect(network.arrived).toEqual(sent);
  expect(network.arrivedMs / idealMs).toBeLessThan(1.01);
  expect(network.counters.resent).toBe(0);
  expect(network.counters.bytesSent).toBeLessThan(1.01 * bytes);
  expect(network.mostWaitingBytes).toBeLessThan(unacknowledgedBytes + chunkBytes);
});

test('where every 50th message is lost, little more than that is sent again, and nothing waits for a timer', async () => {
  const network = new SlowWire({ bytesPerSecond: 12.5e6, isLost: (n) => n % 50 === 0 });
  const bytes = 64 * MIB;
  const idealMs = bytes / 12.5e3;
  network.send(1, bytes);
  await network.clock.advance(1.3 * idealMs);
  expect(network.arrived).toEqual([1]);
  expect(network.arrivedMs).toBeLessThan(1.1 * idealMs);
  expect(network.lostBytes).toBe(5 * chunkBytes);
  expect([network.counters.resent, network.mostWaitingBytes < unacknowledgedBytes + chunkBytes]).toEqual([5, true]);
});

test('all that was under way to a receiver that was away is sent again after one wait, each once', async () => {
  const network = new SlowWire({ bytesPerSecond: 12.5e6, isLost: (n) => n <= windowChunks });
  const sent = Array.from({ length: windowChunks }, (_, i) => i);
  for (const i of sent) network.send(i, 300);
  await network.clock.advance(1_000);
  expect([network.arrived, network.counters.resent]).toEqual([sent, windowChunks]);
  expect(network.arrivedMs).toBeLessThan(LINK_LIMITS.retryMs + 100);
});

test('a receiver that stays away is asked less and less often, and one message at a time', async () => {
  let isAway = true;
  const network = new SlowWire({ bytesPerSecond: 12.5e6, isLost: () => isAway });
  for (let i = 0; i < 10; i++) network.send(i, 300);
  const repeats: number[] = [];
  for (let second = 0; second < 20; second++) {
    await network.clock.advance(1_000);
    repeats.push(network.counters.resent);
  }
  // After 0.5, 1.5, 3.5, 7.5, 11.5, 15.5 and 19.5 s.
  expect(repeats).toEqual([1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6, 7]);
  isAway = false;
  await network.clock.advance(4_000);
  expect(network.arrived).toEqual(Array.from({ length: 10 }, (_, i) => i));
});

test('after a lost connection what was under way goes out again, no more at a time than before', async () => {
  const network = new SlowWire({ bytesPerSecond: 12.5e6 });
  const bytes = 32 * MIB;
  network.send(1, bytes);
  for (let i = 0; i < 3; i++) {
    await network.clock.advance(500);
    await network.cut(1_000);
  }
  await network.clock.advance(3_000);
  expect(network.arrived).toEqual([1]);
  expect(network.counters.bytesSent).toBeLessThan(bytes * 1.01 + 3 * (unacknowledgedBytes + chunkBytes));
  expect(network.mostWaitingBytes).toBeLessThan(unacknowledgedBytes + chunkBytes);
});
