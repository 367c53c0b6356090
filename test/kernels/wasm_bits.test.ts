/**
 * Generated code gives the bits of the plain reference: every op and every gradient that has a WASM lowering, at several
 * numbers of rows, with and without numbers that are none. What has one is listed, so that none is lost unnoticed.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { CpuDevice, dynamic, f32, i32, trace, vjp, type Program } from '../../src/kernels/index.ts';
import { tablesOf } from '../../src/kernels/cpu/wasm/lower.ts';
import type { Data } from '../../src/kernels/dtype.ts';
import { extract } from '../../src/kernels/program.ts';
import { causalSoftmax } from '../../src/kernels/ops/causal_softmax.ts';
import { causalSoftmaxGradient } from '../../src/kernels/ops/causal_softmax_gradient.ts';
import type { QueryBlock } from '../../src/kernels/ops/causal_softmax_rows.ts';
import { runReference } from '../../src/kernels/reference.ts';
import type { Node, Value } from '../../src/kernels/graph.ts';
import { cases } from './cases.ts';
import { inputsOf, onDevice } from './kit.ts';

const device = new CpuDevice({ bytes: 2 ** 29 });
afterAll(() => device.close());

const lowered = new Set<string>();
const lowersToWasm = (node: Node): boolean => tablesOf(node) !== null;

/** The node alone, as a program of its operands; those that `program` is given keep their names, and so their fill. */
const alone = (node: Node, program: Program): Program => {
  const nameOf = (value: Value, i: number): string =>
    program.inputs.find((binding) => binding.value === value)?.name ?? `operand${i}`;
  const inputs = [...new Set(node.inputs)].map((value, i) => ({
    name: nameOf(value, i),
    role: 'input' as const,
    value,
  }));
  return extract(
    node.op,
    inputs,
    node.outputs.map((value, i) => ({ name: `y${i}`, value })),
  );
};

/** NaN is equal to NaN: which of them it is may differ. */
const bitsOf = (data: Data): readonly number[] =>
  data instanceof Float32Array
    ? Array.from(new Int32Array(data.buffer, data.byteOffset, data.length), (word, i) =>
        Number.isNaN(data[i]) ? 0x7fc00000 : word,
      )
    : [...data];

/** NaN as data from elsewhere may have it, with low bits set. */
const markedNaN = new Float32Array(Uint32Array.of(0x7fc00001, 0xffc001ff).buffer);
const odd = [NaN, Infinity, -Infinity, 0, -0, 1e-42, -1e-42, 3e38, -3e38];

describe.each(cases)('$name', ({ rows: kind, build, fill }) => {
  it.each([1, 2, 3, 17])('has the bits of its reference on %i rows', async (rows) => {
    const { forward, backward } = vjp(build(kind === 'dynamic' ? dynamic('rows', 20) : rows));
    const nodes = [...forward.nodes, ...backward.nodes].filter(
      (node) => node.writes.length === 0 && lowersToWasm(node),
    );
    for (const node of new Set(nodes)) {
      lowered.add(node.op);
      const program = alone(node, forward);
      const inputs = inputsOf(program, fill);
      await expectSameBits(program, inputs, rows);
      for (const data of Object.values(inputs)) {
        if (!(data instanceof Float32Array)) continue;
        odd.forEach((x, i) => (data[(i * 5) % data.length] = x));
        // Copied as bits: a number on its way through JavaScript may lose them.
        if (data.length > 60) new Uint32Array(data.buffer, data.byteOffset).set(new Uint32Array(markedNaN.buffer), 50);
      }
      await expectSameBits(program, inputs, rows);
    }
  });
});

/** Products of matrices, what is made around them, and what only moves elements between them. */
const onnx = [
  ['causal_attention', 'causal_attention_gradient', 'matmul'],
  ['linear_cross_entropy', 'linear_cross_entropy_gradient', 'linear_cross_entropy_statistics'],
  ['broadcast_to', 'pad', 'reshape'],
  ['reduce_max', 'reduce_max_gradient'],
].flat();

it('there is code for every other op', () => {
  const left = new Set(
    cases.flatMap(({ build }) => {
      const { forward, backward } = vjp(build(16));
      return [...forward.nodes, ...backward.nodes].map((node) => node.op);
    }),
  );
  for (const op of [...lowered, ...onnx]) left.delete(op);
  expect([...left]).toEqual([]);
});

interface Scores {
  readonly rows: number;
  readonly keys: number;
  readonly block: QueryBlock;
  /** The first key that each query sees. */
  readonly begins: Int32Array;
}

/** Scores of a block of queries, and d_p; what a query does not see is none of its business, NaN here. */
function scoresOf({ rows, keys, block: { first, queries }, begins }: Scores): Record<string, Data> {
  const isLive = (i: number): boolean => {
    const query = first + (Math.floor(i / keys) % queries);
    return i % keys >= begins[query] && i % keys <= query;
  };
  const filled = (salt: number) =>
    Float32Array.from({ length: rows * keys }, (_, i) => (isLive(i) ? (((i + salt) * 37) % 101) / 10 - 5 : NaN));
  return {
    scores: filled(0),
    dP: filled(11),
    pull: Float32Array.from({ length: rows }, (_, i) => (i % 7) / 7),
    begins,
  };
}

/** The softmax of one block of one sequence, and its gradient; with begins where `masks`. */
const softmaxOf = ({ rows, keys, block, begins }: Scores, masks: boolean): Program =>
  trace(
    'causal_softmax',
    {
      scores: f32([1, rows, keys]),
      dP: f32([1, rows, keys]),
      pull: f32([1, rows, 1]),
      begins: i32([1, begins.length]),
    },
    (w) => {
      const given = masks ? w.begins : undefined;
      const [p, statistics] = causalSoftmax(w.scores, block, given);
      const [again, dScores] = causalSoftmaxGradient({ ...w, statistics }, block, given);
      return { p, statistics, again, dScores };
    },
  );

/** Samples of one length, of many, and the whole sequence as one. */
const samples: Readonly<Record<string, (query: number) => number>> = {
  none: () => 0,
  'of one token': (query) => query,
  'of three': (query) => query - (query % 3),
  'of sixteen': (query) => query - (query % 16),
  'of seventeen': (query) => query - (query % 17),
  'of fifty': (query) => query - (query % 50),
};

describe.each([
  { first: 0, queries: 16, keys: 16, rows: 32 },
  { first: 0, queries: 5, keys: 16, rows: 10 },
  { first: 128, queries: 31, keys: 160, rows: 62 },
  { first: 3, queries: 61, keys: 64, rows: 61 },
])('causal softmax of queries $first and $queries more over $keys keys', ({ keys, rows, ...queries }) => {
  const block = { ...queries, scale: 0.25 };
  it.each(Object.keys(samples))('has the bits of its reference, samples %s', async (name) => {
    const scores = { rows, keys, block, begins: Int32Array.from({ length: keys }, (_, query) => samples[name](query)) };
    const program = softmaxOf(scores, name !== 'none');
    const inputs = scoresOf(scores);
    expect(program.nodes.every(lowersToWasm)).toBe(true);
    await expectSameBits(program, inputs, rows);
    const { p, again } = runReference(program, inputs);
    expect(again).toEqual(p);
    for (let r = 0; r < rows; r++) {
      const row = p.subarray(r * keys, (r + 1) * keys);
      const query = block.first + (r % block.queries);
      expect(Array.from(row).reduce((sum, x) => sum + x, 0)).toBeCloseTo(1, 5);
      expect(row.subarray(query + 1).every((x) => x === 0)).toBe(true);
      expect(row.subarray(0, scores.begins[query]).every((x) => x === 0)).toBe(true);
    }
  });

  it('has the bits that it has without begins where all are 0', () => {
    const scores = { rows, keys, block, begins: new Int32Array(keys) };
    const inputs = scoresOf(scores);
    expect(runReference(softmaxOf(scores, true), inputs)).toEqual(runReference(softmaxOf(scores, false), inputs));
  });
});

async function expectSameBits(program: Program, inputs: Record<string, Data>, rows: number): Promise<void> {
  const live = { rows };
  const actual = await onDevice(device)(program, inputs, live);
  const expected = runReference(program, inputs, live);
  for (const { name } of program.outputs)
    expect(bitsOf(actual[name]), `${program.name} ${name}`).toEqual(bitsOf(expected[name]));
}
