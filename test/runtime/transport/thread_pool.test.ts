import { expect, test } from 'vitest';
import { createSharedMemory, SharedPool } from '../../../src/runtime/transport/shared_pool.ts';
import { placeOf, planSlots, SLOTS } from '../../../src/runtime/transport/shared_slots.ts';
import { NOWHERE, ThreadDirectory } from '../../../src/runtime/transport/thread_directory.ts';

const SMALL = [
  { bytes: 1024, count: 2 },
  { bytes: 4096, count: 1 },
  { bytes: 16384, count: 1 },
];

test('slots lie behind each other, 64-byte-aligned, and none overlap', () => {
  const plan = planSlots(SMALL);
  const places = [0, 1, 2, 3].map((slot) => placeOf(plan, slot));
  expect(places).toEqual([
    { offset: 64, bytes: 1024 },
    { offset: 1088, bytes: 1024 },
    { offset: 2112, bytes: 4096 },
    { offset: 6208, bytes: 16384 },
  ]);
  expect([plan.slots, plan.maxBytes, plan.totalBytes]).toEqual([4, 16384, 22592]);
  expect(() => placeOf(plan, 4)).toThrow('slot 4 is not in the plan');
  expect(planSlots(SLOTS).totalBytes).toBeLessThan(127 * 2 ** 20);
});

test('slots that cannot be laid out are refused with what is wrong', () => {
  expect(() => planSlots([])).toThrow('slots: there are none;');
  expect(() => planSlots([{ bytes: 3000, count: 1 }])).toThrow('slots: a class of 3000 bytes;');
  expect(() => planSlots([{ bytes: 4096, count: 0 }])).toThrow('slots: a class of 0 slots;');
  expect(() => planSlots(SMALL.toReversed())).toThrow('slots: 4096 bytes after 16384;');
});

test('a frame takes a slot of its class, then of the next, then ordinary memory', () => {
  const pool = new SharedPool(createSharedMemory('a', { slots: SMALL }));
  const frames = [1, 2, 3, 4].map(() => pool.lease(1000));
  expect(frames.map(({ slot, bytes }) => [slot, bytes.length])).toEqual([
    [0, 1024],
    [1, 1024],
    [2, 4096],
    [-1, 1024],
  ]);
  expect([pool.leased, pool.overflows, pool.overflowBytes]).toEqual([4, 1, 1024]);
  for (const frame of frames) frame.release();
  expect([pool.leased, pool.overflowBytes, pool.lease(1).slot]).toEqual([0, 0, 0]);
});

test('a frame that was handed over is counted until the receiver, by its own view of the memory, lets go', () => {
  const shared = createSharedMemory('a', { slots: SMALL, poison: true });
  const [sender, receiver] = [new SharedPool(shared), new SharedPool(shared)];
  const sent = sender.lease(1000);
  sent.bytes.fill(7);
  sent.handOver();
  const received = receiver.frame(sent.slot);
  received.retain();
  received.release();
  expect([received.bytes[999], sender.leased, receiver.leased]).toEqual([7, 1, 1]);
  received.release();
  expect([sent.bytes[999], sender.leased]).toEqual([0xff, 0]);
  expect(() => received.release()).toThrow('frame: released more often than retained; release each hold once');
});

test('an announcement overrides the placement until it is taken back, and a lost thread hosts nobody', () => {
  const directory = new ThreadDirectory(new Map([['run/stage', 1]]));
  directory.add('run/stage', 2);
  directory.add('run/other', 2);
  directory.remove('run/other', 1);
  expect(['run/stage', 'run/other', 'run/none'].map((a) => directory.find(a))).toEqual([2, 2, NOWHERE]);
  directory.remove('run/stage', 2);
  directory.lose(2);
  expect(['run/stage', 'run/other'].map((a) => directory.find(a))).toEqual([1, NOWHERE]);
});
