/** A group in one dispatch an op: the bits that each owner has alone, from banks and from buffers of their own. */
// @module-tag webgpu
import { afterAll, describe, expect, it } from 'vitest';
import {
  bf16,
  dynamic,
  f32,
  matmul,
  relu,
  trace,
  vjp,
  weight,
  type Program,
  type Slice,
} from '../../../src/kernels/index.ts';
import type { Data } from '../../../src/kernels/dtype.ts';
import { fromBf16 } from '../../../src/kernels/ops/bf16_cast.ts';
import { draw } from '../../../src/kernels/random.ts';
import { elements } from '../../../src/kernels/shape.ts';
import type { WebGpuDevice } from '../../../src/kernels/webgpu/device.ts';
import { cases } from '../cases.ts';
import { boundGroup, gatedExpert, outputsAlone, outputsOfGroup, reluExpert } from '../group_kit.ts';
import { bytesOf } from '../kit.ts';
import { openDevice } from './kit.ts';

const devices = {
  shared: await openDevice({ isSerial: false }),
  serial: await openDevice({ isSerial: true }),
  /** Of 128 MiB a buffer at most. */
  bare: await openDevice({ isSerial: true, isBare: true }),
};
afterAll(async () => {
  for (const device of Object.values(devices)) await device.close();
});

const totalOf = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);

let banks = 0;
const bankSlices = (device: WebGpuDevice, count: number): Slice[] => {
  const bank = `bank ${banks++}`;
  return Array.from({ length: count }, (_, at) => device.slice(`owner ${at}`, 2 ** 24, { bank, count, at }));
};

/** Runs a group over `owners`, and compares with its owners alone. Returns how many bind groups it made. */
async function expectBitsOfAlone(
  device: WebGpuDevice,
  program: Program,
  counts: readonly number[],
  owners: readonly Slice[] = bankSlices(device, counts.length),
): Promise<number> {
  const slice = device.slice('group', 2 ** 26);
  const tensors = boundGroup(device, program, counts, { slice, owners });
  const rows = totalOf(counts);
  const group = await device.compileGroup(program, { count: counts.length, rows: Math.max(rows, 1), each: 4 });
  const groupsBefore = device.counts().bindGroups;
  const given = { slab: tensors.slab, own: (owner: number) => tensors.own[owner], rows: counts };
  for (const batch of group.batches(counts)) await group.runLater(given, batch);
  const made = device.counts().bindGroups - groupsBefore;
  await group.run(given);
  const together = await outputsOfGroup(device, program, counts, tensors);
  const alone = await outputsAlone(device, program, counts);
  for (const [i, outputs] of alone.entries()) {
    for (const name in outputs) expect(bytesOf(together[i][name]), `${name} of ${i}`).toEqual(bytesOf(outputs[name]));
  }
  // Rows that are nobody's are as they were.
  for (const { name } of program.outputs.filter((output) => output.name in tensors.slab)) {
    const width = elements(tensors.slab[name].shape.slice(1));
    const rest = await device.read(tensors.slab[name], 2 * width, rows * width);
    expect([...rest].every((x) => Number.isNaN(x) || x === 77)).toBe(true);
  }
  [slice, ...owners].forEach((each) => each.release());
  return made;
}

const drawn = Array.from({ length: 40 }, (_, i) => [0, 1, 2, 3, 7, 32, 33][draw(19, 19, i) % 7]);

describe.each([
  ['a bf16 expert', reluExpert(80)],
  ['an fp32 expert, whose rows are no whole vectors,', gatedExpert(80)],
])('%s', (_name, expert) => {
  const { forward, backwardInput, backwardWeight } = vjp(expert);
  it.each([[[0, 1, 2, 33]], [[0, 0, 0]], [[0, 80, 0, 0]], [[1]], [drawn]])(
    'has the bits of its owners alone, forward and back, on %j rows',
    async (counts) => {
      for (const program of [forward, backwardInput, backwardWeight]) {
        const atOnce = await expectBitsOfAlone(devices.serial, program, counts);
        const apart = counts.map((_, at) => devices.serial.slice(`apart ${at}`, 2 ** 24));
        // Without banks each owner is bound alone.
        expect(await expectBitsOfAlone(devices.serial, program, counts, apart)).toBe(atOnce * counts.length);
      }
    },
  );
});

it('has them with shared memory, too', async () => {
  await expectBitsOfAlone(devices.shared, vjp(reluExpert(40)).forward, [5, 17, 32, 0]);
});

it('binds nothing anew where its owners get other rows', async () => {
  const device = devices.serial;
  const program = vjp(reluExpert(40)).forward;
  const counts = [5, 17, 2, 0];
  const slice = device.slice('group', 2 ** 22);
  const owners = bankSlices(device, counts.length);
  const { own } = boundGroup(device, program, counts, { slice, owners });
  const group = await device.compileGroup(program, { count: 4, rows: 30, each: 4 });
  const residuals = program.outputs.filter(({ name }) => name !== 'y');
  expect(residuals).toHaveLength(1);
  const slab = {
    rows: slice.tensor('rows', 'bf16', [26, 16]),
    y: slice.tensor('y', 'bf16', [26, 16]),
    [residuals[0].name]: slice.tensor('residual', residuals[0].value.type.dtype, [26, 32]),
  };
  const rounds: { counts: readonly number[]; rows: Data; alone: Awaited<ReturnType<typeof outputsAlone>> }[] = [];
  for (const each of [counts, [0, 2, 1, 20], counts]) {
    const { slab: filled } = boundGroup(device, program, each, { slice, owners: [] });
    const rows = await device.read(filled.rows, totalOf(each) * 16);
    rounds.push({ counts: each, rows, alone: await outputsAlone(device, program, each) });
  }
  const made: number[] = [];
  for (const { counts: each, rows, alone } of rounds) {
    device.write(slab.rows, rows);
    const before = device.counts().bindGroups;
    await group.run({ slab, own: (owner) => own[owner], rows: each });
    made.push(device.counts().bindGroups - before);
    const together = await outputsOfGroup(device, program, each, { slab, own });
    for (const [i, { y }] of alone.entries()) expect(bytesOf(together[i].y)).toEqual(bytesOf(y));
  }
  expect(made[0]).toBeGreaterThan(0);
  expect(made.slice(1)).toEqual([0, 0]);
  [slice, ...owners].forEach((each) => each.release());
});

const wide = trace(
  'wide_expert',
  { rows: f32([dynamic('rows', 2048), 4]), up: weight([4, 4096]), down: weight([4096, 4]) },
  ({ rows: x, up, down }) => ({ y: matmul(relu(matmul(x, up)), down) }),
);

it('takes scratch for the rows that owners have together, whatever each of them may have', async () => {
  const group = await devices.serial.compileGroup(wide, { count: 64, rows: 100, each: 2 });
  const alone = await devices.serial.compile(wide);
  expect(group.scratchBytes).toBeLessThan(alone.scratchBytes);
});

it('runs owners one after another where scratch for all of them is more than the device has', async () => {
  const device = await openDevice({ isSerial: true, bytes: 2 ** 20 });
  const specs = { x: f32([dynamic('rows', 256), 4]), up: weight([4, 128]), down: weight([128, 4]) };
  const large = trace('large_scratch', specs, ({ x, up, down }) => ({ y: matmul(relu(matmul(x, up)), down) }));
  const counts = [3, 0, 1, 2];
  const slice = device.slice('group', 2 ** 19);
  const owners = bankSlices(device, counts.length);
  const tensors = boundGroup(device, large, counts, { slice, owners });
  const group = await device.compileGroup(large, { count: 4, rows: 100_000, each: 4 });
  await group.run({ slab: tensors.slab, own: (owner) => tensors.own[owner], rows: counts });
  const together = await outputsOfGroup(device, large, counts, tensors);
  const alone = await outputsAlone(devices.serial, large, counts);
  for (const [i, { y }] of alone.entries()) expect(bytesOf(together[i].y)).toEqual(bytesOf(y));
  await device.close();
});

it('refuses rows that are no whole words, and a slab with too few of them', async () => {
  const specs = { x: bf16([dynamic('rows', 8), 3]), w: weight([3, 4]) };
  const odd = trace('odd', specs, ({ x, w }) => ({ y: matmul(fromBf16(x), w) }));
  const size = { count: 2, rows: 8, each: 2 };
  await expect(devices.serial.compileGroup(odd, size)).rejects.toThrow(
    'rows of x have 6 bytes, which are no whole words',
  );
  const program = reluExpert(8);
  const group = await devices.serial.compileGroup(program, size);
  const slice = devices.serial.slice('group', 2 ** 20);
  const slab = { rows: slice.tensor('rows', 'bf16', [3, 16]), y: slice.tensor('y', 'bf16', [8, 16]) };
  await expect(group.run({ slab, own: () => ({}), rows: [2, 2] })).rejects.toThrow('rows has 48 elements, needs 64');
  slice.release();
});

it('refuses more owners than the adapter has room for the rows of', async () => {
  const size = { count: 10_000, rows: 10_000, each: 1 };
  await expect(devices.bare.compileGroup(reluExpert(8), size)).rejects.toThrow('maxUniformBufferBindingSize');
});

const named = ['embedding', 'softmax', 'rmsNorm', 'concat', 'reduceSum, columns', 'selectiveScan', 'causalConv'];
const others = cases.filter(({ name }) => named.includes(name));

it.each(others)('$name has the bits of its owners alone, back where it calls functions of its own', async (each) => {
  const { name: op, build } = each;
  const { forward, backward } = vjp(build(dynamic('rows', 20)));
  for (const program of op === 'causalConv' ? [forward, backward] : [forward]) {
    await expectBitsOfAlone(devices.shared, program, [17, 3]);
  }
});
