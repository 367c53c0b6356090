/** Picking and gathering: ties, nobody's rows, rows that do not exist, and the routing vectors of the papers. */
import { afterAll, expect, it } from 'vitest';
import { tablesOf } from '../../src/kernels/cpu/wasm/lower.ts';
import * as k from '../../src/kernels/index.ts';
import { inputsOf, onDevice, onReference } from './kit.ts';
import { runTopK, topKCases, topKProgram } from './top_k.ts';

const device = new k.CpuDevice({ bytes: 2 ** 26 });
afterAll(() => device.close());
const run = onDevice(device);

it('takes the largest first, and of equal ones the lowest index', async () => {
  const program = k.trace('top', { x: k.f32([k.dynamic('rows', 4), 5]) }, ({ x }) => {
    const { values, indices } = k.topK(x, 3);
    return { values, indices };
  });
  const x = Float32Array.of(1, 3, 3, 0, 2, 7, 7, 7, 7, 7, -1, -2, -1, -2, -1, 0, 0, 0, 0, 0);
  const { values, indices } = await run(program, { x }, { rows: 3 });
  expect([...indices]).toEqual([1, 2, 4, 0, 1, 2, 0, 2, 4]);
  expect([...values]).toEqual([3, 3, 2, 7, 7, 7, -1, -1, -1]);
  expect((await run(program, { x }, { rows: 0 })).indices).toHaveLength(0);
});

it.each(topKCases)('takes $count of $width as sorting does, of $keep of $groups groups, and NaN last', async (each) => {
  for (const on of [run, onReference]) {
    const { actual, expected } = await runTopK(on, each, 9);
    expect(actual).toEqual(expected);
  }
});

it('has code for what is chosen from whole vectors', () => {
  const [node] = topKProgram({ width: 256, count: 8, groups: 8, keep: 4 }, 9).nodes;
  expect(tablesOf(node)).toEqual([]);
});

it.each([
  [9, { groups: 2, keep: 1 }, 'top_k: 2 groups do not divide 9'],
  [8, { groups: 2, keep: 3 }, 'top_k: cannot keep 3 of 2 groups'],
  [8, { groups: 4, keep: 1 }, 'top_k: cannot take 3 of 2'],
])('refuses groups that do not fit %i', (width, limit, message) => {
  expect(() => k.trace('top', { x: k.f32([2, width]) }, ({ x }) => ({ ...k.topK(x, 3, limit) }))).toThrow(message);
});

it('adds what falls into one column in the order of the picks', async () => {
  const scatter = k.trace('scatter', { x: k.f32([1, 4]), columns: k.i32([1, 4]) }, ({ x, columns }) => ({
    y: k.scatterColumns(x, columns, 4),
  }));
  const columns = Int32Array.of(1, 1, 1, 1);
  // In fp32, 1e8 + 1 − 1e8 is 0, and 1 counts only where it is added last.
  expect([...(await run(scatter, { x: Float32Array.of(1e8, 1, -1e8, 1), columns }, {})).y]).toEqual([0, 1, 0, 0]);
});

it('refuses a column that is none', async () => {
  const gather = k.trace('gather', { x: k.f32([2, 2]), columns: k.i32([2, 1]) }, ({ x, columns }) => ({
    y: k.gatherColumns(x, columns),
  }));
  const inputs = inputsOf(gather, { columns: (at) => at * 2 });
  await expect(run(gather, inputs, {})).rejects.toThrow('gather_columns: column 2 of row 1 is outside of 2 columns');
});

it('sends the gradient of a maximum to the first of equal elements', async () => {
  const { forward, backward } = k.vjp(k.trace('max', { x: k.f32([2, 4]) }, ({ x }) => ({ y: k.reduceMax(x, [1]) })));
  const x = Float32Array.of(1, 5, 5, 2, 4, 4, 4, 4);
  const { y } = await run(forward, { x }, {});
  const { d_x } = await run(backward, { x, y, d_y: Float32Array.of(10, 20) }, {});
  expect([...d_x]).toEqual([0, 10, 0, 0, 20, 0, 0, 0]);
});

it('gathers zeros for nobody and sums in row order', async () => {
  const gather = k.trace('gather', { x: k.f32([2, 2]), i: k.i32([3]) }, ({ x, i }) => ({ y: k.gatherRows(x, i) }));
  const i = Int32Array.of(1, -1, 0);
  expect([...(await run(gather, { x: Float32Array.of(1, 2, 3, 4), i }, {})).y]).toEqual([3, 4, 0, 0, 1, 2]);
  const sum = k.trace('sum', { x: k.f32([4, 1]), i: k.i32([4]) }, ({ x, i: at }) => ({ y: k.segmentSum(x, at, 2) }));
  // In fp32, 1e8 + 1 − 1e8 is 0, and 1 counts only where it is added last.
  const x = Float32Array.of(1e8, 1, -1e8, 1);
  expect([...(await run(sum, { x, i: Int32Array.of(1, 1, 1, 1) }, {})).y]).toEqual([0, 1]);
  expect([...(await run(sum, { x, i: Int32Array.of(1, -1, 1, 0) }, {})).y]).toEqual([1, 0]);
});

it('refuses an index that is no row', async () => {
  const gather = k.trace('gather', { x: k.f32([2, 2]), i: k.i32([2]) }, ({ x, i }) => ({ y: k.gatherRows(x, i) }));
  const inputs = inputsOf(gather, { i: (at) => at * 2 });
  await expect(run(gather, inputs, {})).rejects.toThrow('gather_rows: index 2 at row 1 is outside of 2 rows');
});

it('combines what came back in top-k order, without the dropped', async () => {
  const specs = { rows: k.f32([2, 1]), gates: k.f32([3, 2]), slots: k.i32([3, 2]) };
  const program = k.trace('combine', specs, ({ rows, gates, slots }) => ({ y: k.combine(rows, gates, slots) }));
  const inputs = {
    rows: Float32Array.of(10, 100),
    gates: Float32Array.of(0.5, 0.25, 1, 0.5, 1, 1),
    slots: Int32Array.of(0, 1, -1, 0, -1, -1),
  };
  expect([...(await run(program, inputs, {})).y]).toEqual([30, 5, 0]);
});

it("gives the papers' gates", async () => {
  // Mixtral: softmax over the two largest logits (papers §10.2).
  const mixtral = k.trace('gate', { x: k.f32([2, 4]) }, ({ x }) => {
    const { values, indices } = k.topK(x, 2);
    return { gates: k.softmax(values), indices };
  });
  const { gates, indices } = await run(mixtral, { x: Float32Array.of(1, 2, 0.5, -1, 1, 2, 0.5, -1) }, {});
  expect([...indices.subarray(0, 2)]).toEqual([1, 0]);
  expect(gates[0]).toBeCloseTo(0.7310586, 6);
  expect(gates[1]).toBeCloseTo(0.2689414, 6);
  // Switch: mean router probability of each expert.
  const switched = k.trace('mean', { x: k.f32([4, 2]) }, ({ x }) => ({ p: k.reduceMean(k.softmax(x), [0]) }));
  const { p } = await run(switched, { x: Float32Array.of(1, 0, 2, 0, 0, 1, 3, 0) }, {});
  expect(p[0]).toBeCloseTo(0.7083428, 6);
  expect(p[1]).toBeCloseTo(0.2916572, 6);
});
