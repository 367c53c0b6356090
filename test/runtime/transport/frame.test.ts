import { expect, test } from 'vitest';
import { z } from 'zod';
import {
  ask,
  defineProtocol,
  freeAnswered,
  isTensor,
  tell,
  tensorSchema,
  type TensorPayload,
} from '../../../src/runtime/index.ts';
import { HeapFramePool } from '../../../src/runtime/transport/frame.ts';
import { createTestSystem, FaultPlan } from '../../../src/runtime/testing/index.ts';

const matrixProtocol = defineProtocol('matrix', {
  put: tell({ lane: 'data', args: z.object({ x: tensorSchema }) }),
  sum: ask({ args: z.object({ x: tensorSchema }), reply: tensorSchema }),
});

const tensor = (...data: number[]): TensorPayload => ({
  dtype: 'f32',
  shape: [data.length],
  data: Float32Array.from(data),
});
const total = ({ data }: TensorPayload): number => Array.from<number>(data).reduce((sum, x) => sum + x, 0);

/** An actor that keeps what it must not, and by `hold` what it may. */
function keeper() {
  const kept: TensorPayload[] = [];
  const releases: (() => void)[] = [];
  const sums: number[] = [];
  return { kept, releases, sums };
}

test('a received tensor is readable in its handler, across awaits, and poisoned after it', async () => {
  const { system, pool, clock } = createTestSystem();
  const { kept, sums } = keeper();
  const ref = system.spawn(matrixProtocol, 'matrix', () => ({
    async put({ x }) {
      kept.push(x);
      await Promise.resolve();
      sums.push(total(x));
    },
    sum: ({ x }) => tensor(total(x)),
  }));
  ref.tell.put({ x: tensor(1, 2, 3) });
  expect(pool.leased).toBe(1);
  expect(await ref.ask.sum({ x: tensor(4, 5) })).toEqual(tensor(9));
  await clock.settle();
  expect(sums).toEqual([6]);
  expect([...kept[0].data]).toEqual([NaN, NaN, NaN]);
  expect(pool.leased).toBe(0);
  await system.stop();
});

test('a held tensor stays valid until it is let go', async () => {
  const { system, pool } = createTestSystem();
  const { kept, releases } = keeper();
  const ref = system.spawn(matrixProtocol, 'matrix', () => ({
    put({ x }, ctx) {
      kept.push(x);
      releases.push(ctx.hold());
    },
    sum: ({ x }) => x,
  }));
  ref.tell.put({ x: tensor(1, 2) });
  await system.idle();
  expect([[...kept[0].data], pool.leased]).toEqual([[1, 2], 1]);
  releases[0]();
  expect(pool.leased).toBe(0);
  await system.stop();
});

test('no frame stays leased when messages are dropped, repeated, refused, parked or never handled', async () => {
  const filter = new FaultPlan(1, [
    { message: 'put', fault: { kind: 'drop' } },
    { message: 'put', skip: 1, fault: { kind: 'duplicate' } },
    { message: 'put', skip: 2, fault: { kind: 'delay', ms: 5 } },
    { message: 'put', skip: 3, fault: { kind: 'reorder', ms: 5 } },
  ]);
  const { system, pool, clock } = createTestSystem({ filter });
  const sums: number[] = [];
  const create = () => ({
    put({ x }: { x: TensorPayload }) {
      if (total(x) > 9) throw new Error('too much');
      sums.push(total(x));
    },
    sum: ({ x }: { x: TensorPayload }) => x,
  });
  const ref = system.spawn(matrixProtocol, 'matrix', create, { restart: 'temporary', dataCapacity: 8 });
  for (const n of [1, 2, 3, 4, 5, 10, 6]) ref.tell.put({ x: tensor(n) });
  await clock.advance(10);
  expect(sums).toEqual([2, 2, 5, 4]);
  ref.tell.put({ x: tensor(7) });
  await clock.settle();
  expect(pool.leased).toBe(0);
  await system.stop();
});

test.each([false, true])(
  'an answered tensor can be freed, and nothing else with it (whole frames: %s)',
  async (wire) => {
    const own = tensor(1, 2, 3);
    const { system } = createTestSystem({ wire });
    const ref = system.spawn(matrixProtocol, 'matrix', () => ({ put: () => undefined, sum: () => own }));
    const [first, second] = [await ref.ask.sum({ x: tensor(4) }), await ref.ask.sum({ x: tensor(4) })];
    freeAnswered(first);
    expect([first.data.length, second, own]).toEqual([0, tensor(1, 2, 3), tensor(1, 2, 3)]);
    const { buffer } = second.data;
    const view = { dtype: 'f32', shape: [1], data: new Float32Array(buffer, 4, 1) } as const;
    freeAnswered(view);
    freeAnswered({ ...view, data: new Float32Array(new SharedArrayBuffer(4)) });
    expect(second).toEqual(tensor(1, 2, 3));
    await system.stop();
  },
);

test('a whole frame, as between processes, brings tensors and answers too', async () => {
  const { system, pool } = createTestSystem({ wire: true });
  const ref = system.spawn(matrixProtocol, 'matrix', () => ({ put: () => undefined, sum: ({ x }) => x }));
  ref.tell.put({ x: tensor(1) });
  expect(await ref.ask.sum({ x: tensor(4, 5) })).toEqual(tensor(4, 5));
  await system.idle();
  expect(pool.leased).toBe(0);
  await system.stop();
});

test('frames are used again, and released only as often as they are held', () => {
  const pool = new HeapFramePool();
  const frame = pool.lease(5000);
  expect(frame.bytes.length).toBe(8192);
  frame.release();
  expect(pool.lease(8192)).toBe(frame);
  frame.release();
  expect(() => frame.release()).toThrow('frame: released more often than retained; release each hold once');
});

test('adopted memory is a frame like others, and is not leased again', () => {
  const pool = new HeapFramePool({ poison: true });
  const bytes = new Uint8Array(8192).subarray(4096);
  const frame = pool.adopt(bytes);
  expect([frame.bytes, frame.view.byteOffset, pool.leased]).toEqual([bytes, 4096, 1]);
  frame.release();
  expect([bytes[0], pool.leased, pool.lease(4096) === frame]).toEqual([255, 0, false]);
  expect(() => frame.release()).toThrow('released more often than retained');
});

test('a tensor is well-formed when data has the type and length that dtype and shape say', () => {
  const data = new Float32Array(6);
  expect(isTensor({ dtype: 'f32', shape: [2, 3], data })).toBe(true);
  expect(isTensor({ dtype: 'f32', shape: [], data: new Float32Array(1) })).toBe(true);
  expect(isTensor({ dtype: 'f32', shape: [2, 2], data })).toBe(false);
  expect(isTensor({ dtype: 'i32', shape: [6], data })).toBe(false);
  expect(isTensor({ dtype: 'f32', shape: [-2, -3], data })).toBe(false);
  expect(isTensor(null)).toBe(false);
});

test('a pool keeps as much as it may, and frees the rest at once', () => {
  const pool = new HeapFramePool({ maxFreeBytes: 8192 });
  const [small, large] = [pool.lease(8192), pool.lease(100_000)];
  large.release();
  small.release();
  expect(pool.leased).toBe(0);
  expect(large.bytes.byteLength).toBe(0);
  expect(pool.lease(5000)).toBe(small);
  // What came from elsewhere is not the pool's to free.
  const foreign = new Uint8Array(100_000);
  pool.adopt(foreign).release();
  expect(foreign.byteLength).toBe(100_000);
});
