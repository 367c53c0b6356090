/** A group of the CPU device: the bits that each owner has alone, whatever rows the others have. */
import { afterAll, describe, expect, it } from 'vitest';
import { DryDevice } from '../../src/kernels/cpu/dry_device.ts';
import { batchesOf } from '../../src/kernels/cpu/group_programs.ts';
import {
  CpuDevice,
  dynamic,
  f32,
  matmul,
  relu,
  trace,
  vjp,
  weight,
  type Program,
  type Tensor,
} from '../../src/kernels/index.ts';
import { draw } from '../../src/kernels/random.ts';
import { boundGroup, gatedExpert, outputsAlone, outputsOfGroup, reluExpert } from './group_kit.ts';
import { bytesOf } from './kit.ts';

const device = new CpuDevice({ bytes: 2 ** 27 });
afterAll(() => device.close());

const totalOf = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);

async function expectBitsOfAlone(program: Program, counts: readonly number[], each: number, later = false) {
  const slice = device.slice('group', 2 ** 25);
  const owners = counts.map((_, i) => device.slice(`owner ${i}`, 2 ** 22));
  const tensors = boundGroup(device, program, counts, { slice, owners });
  const size = { count: counts.length, rows: totalOf(counts), each };
  const group = await device.compileGroup(program, size);
  const given = { slab: tensors.slab, own: (owner: number) => tensors.own[owner], rows: counts };
  if (later) for (const batch of group.batches(counts)) await group.runLater(given, batch);
  else await group.run(given);
  const together = await outputsOfGroup(device, program, counts, tensors);
  const alone = await outputsAlone(device, program, counts);
  for (const [i, outputs] of alone.entries()) {
    for (const name in outputs) expect(bytesOf(together[i][name]), `${name} of ${i}`).toEqual(bytesOf(outputs[name]));
  }
  // Rows that are nobody's are as they were.
  for (const { name } of program.outputs.filter((output) => output.name in tensors.slab)) {
    const { shape } = tensors.slab[name];
    const rest = await device.read(tensors.slab[name], 2 * shape[1], totalOf(counts) * shape[1]);
    expect([...rest].every((x) => Number.isNaN(x) || x === 77)).toBe(true);
  }
  [slice, ...owners].forEach((each) => each.release());
}

const drawn = Array.from({ length: 70 }, (_, i) => [0, 1, 2, 3, 7, 32, 33][draw(19, 19, i) % 7]);

describe.each([
  ['a bf16 expert', reluExpert(80)],
  ['an fp32 expert, whose rows are no whole vectors,', gatedExpert(80)],
])('%s', (_name, expert) => {
  const { forward, backwardInput, backwardWeight } = vjp(expert);
  it.each([
    [[0, 1, 2, 33], 4],
    [[1, 1, 1, 1, 1], 1],
    [[0, 0, 0], 1],
    [[0, 80, 0, 0], 20],
    [[5, 6, 7], 64],
    [[1], 1],
    [drawn, 8],
  ])('has the bits of its owners alone, forward and back, on %j rows', async (counts, each) => {
    for (const program of [forward, backwardInput, backwardWeight]) await expectBitsOfAlone(program, counts, each);
    await expectBitsOfAlone(backwardWeight, counts, each, true);
  });
});

it('finds its room for single rows again when scratch has moved', async () => {
  const fresh = new CpuDevice({ bytes: 2 ** 26 });
  const program = vjp(reluExpert(40)).forward;
  const counts = [1, 3, 1];
  const slice = fresh.slice('group', 2 ** 22);
  const tensors = boundGroup(fresh, program, counts, { slice, owners: counts.map(() => slice) });
  const group = await fresh.compileGroup(program, { count: 3, rows: 5, each: 2 });
  const alone = await outputsAlone(device, program, counts);
  for (const larger of [64, 4096]) {
    await fresh.compile(gatedExpert(larger, 32, 64));
    await group.run({ slab: tensors.slab, own: (owner) => tensors.own[owner], rows: counts });
    const together = await outputsOfGroup(fresh, program, counts, tensors);
    for (const [i, { y }] of alone.entries()) expect(bytesOf(together[i].y)).toEqual(bytesOf(y));
  }
  await fresh.close();
});

it('runs those with few rows in the least number of programs, those with more alone, and those without last', () => {
  expect(batchesOf([0, 5, 40, 32, 0, 1, 2], 32, 3)).toEqual([[1, 3, 5], [6], [2], [0, 4]]);
  expect(batchesOf([3, 3], 0, 1)).toEqual([[0], [1]]);
});

it('takes the memory of the dry device', async () => {
  const fresh = new CpuDevice({ bytes: 2 ** 26 });
  const dry = new DryDevice();
  const { forward, backwardWeight } = vjp(reluExpert(200, 32, 48));
  for (const [program, count, each] of [
    [forward, 40, 3],
    [backwardWeight, 5, 3],
    [forward, 40, 3],
    [backwardWeight, 3, 50],
  ] as const) {
    const size = { count, rows: 300, each };
    const group = await fresh.compileGroup(program, size);
    expect((await dry.compileGroup(program, size)).scratchBytes).toBe(group.scratchBytes);
  }
  expect(dry.memory.usedBytes).toBe(fresh.usedBytes);
  await fresh.close();
});

it('refuses a program with two dynamic dimensions, and rows that it or its slab has no room for', async () => {
  const specs = { x: f32([dynamic('rows', 8), 4]), z: f32([dynamic('others', 8), 4]), w: weight([4, 4]) };
  const two = trace('two', specs, ({ x, z, w }) => ({ y: relu(matmul(x, w)), v: relu(matmul(z, w)) }));
  const size = { count: 2, rows: 8, each: 2 };
  expect(() => device.compileGroup(two, size)).toThrow('program two: has 2 dynamic dimensions');
  const program = reluExpert(8);
  const group = await device.compileGroup(program, size);
  const run = (rows: readonly number[]) => group.run({ slab: {}, own: () => ({}), rows });
  await expect(run([4, 5])).rejects.toThrow('owners have 9 rows, the slab has 8');
  await expect(run([9, 0])).rejects.toThrow('owner 0 has 9 rows, at most 8');
  await expect(run([1])).rejects.toThrow('rows of 1 owners, and it has 2');
  const slice = device.slice('group', 2 ** 20);
  const y = slice.tensor('y', 'bf16', [8, 16]);
  const over = (rows: Tensor) => group.run({ slab: { rows, y }, own: () => ({}), rows: [1, 3] });
  await expect(over(slice.tensor('few', 'bf16', [3, 16]))).rejects.toThrow('rows has 48 elements, needs 64');
  await expect(over(slice.tensor('wide', 'f32', [4, 16]))).rejects.toThrow('rows is f32, needs bf16');
  slice.release();
});
