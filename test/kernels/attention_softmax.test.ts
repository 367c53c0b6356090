/** The softmax of a block of queries, and its gradient: generated code has the reference's bits, and reads what is seen only. */
import { afterAll, describe, expect, it } from 'vitest';
import { CpuDevice, f32, i32, trace, type Data, type Program } from '../../src/kernels/index.ts';
import { tablesOf } from '../../src/kernels/cpu/wasm/lower.ts';
import { namesOf } from '../../src/kernels/ops/attention_extras.ts';
import { attentionSoftmax } from '../../src/kernels/ops/attention_softmax.ts';
import { attentionSoftmaxGradient } from '../../src/kernels/ops/attention_softmax_gradient.ts';
import type { QueryBlock } from '../../src/kernels/ops/attention_softmax_rows.ts';
import { runReference } from '../../src/kernels/reference.ts';
import { bytesOf, onDevice } from './kit.ts';

const device = new CpuDevice({ bytes: 2 ** 28 });
afterAll(() => device.close());

const sequences = 2;

/** Begins or ends, of query t of a sequence. */
type Place = (query: number) => number;

interface Scores {
  readonly rows: number;
  readonly keys: number;
  readonly block: Omit<QueryBlock, 'given'>;
  readonly begins?: Place | undefined;
  readonly ends?: Place | undefined;
  readonly bias?: boolean;
}

/** Does the query of this row see this key? */
function sees({ block, begins, ends }: Scores, row: number, column: number): boolean {
  const { first, queries, firstKey, causal, window } = block;
  const [query, key] = [first + (row % queries), firstKey + column];
  if (causal && (key > query || (window !== null && key <= query - window))) return false;
  return key >= (begins?.(query) ?? 0) && key < (ends?.(query) ?? block.allKeys);
}

const filled = (length: number, salt: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => (((i + salt) * 37) % 101) / 10 - 5);

/** What a query does not see is none of its business, NaN here. */
function inputsOf(scores: Scores): Record<string, Data> {
  const { rows, keys, block, begins, ends } = scores;
  const masked = (salt: number) =>
    filled(sequences * rows * keys, salt).map((x, i) =>
      sees(scores, Math.floor(i / keys) % rows, i % keys) ? x : NaN,
    );
  const places = (place: Place = () => 0) =>
    Int32Array.from({ length: sequences * block.allQueries }, (_, i) => place(i % block.allQueries));
  return {
    scores: masked(0),
    dP: masked(11),
    pull: Float32Array.from({ length: sequences * rows }, (_, i) => (i % 7) / 7),
    bias: filled(rows * keys, 5),
    begins: places(begins),
    ends: places(ends),
  };
}

function programOf({ rows, keys, block, begins, ends, bias = false }: Scores): Program {
  const places = i32([sequences, block.allQueries]);
  const specs = {
    scores: f32([sequences, rows, keys]),
    dP: f32([sequences, rows, keys]),
    pull: f32([sequences, rows, 1]),
    bias: f32([rows, keys]),
    begins: places,
    ends: places,
  };
  return trace('softmax', specs, (w) => {
    const extras = { bias: bias ? w.bias : undefined, begins: begins && w.begins, ends: ends && w.ends };
    const whole = { ...block, given: namesOf(extras) };
    const [p, statistics] = attentionSoftmax(w.scores, whole, extras);
    const { p: again, ...gradients } = attentionSoftmaxGradient({ ...w, statistics }, whole, extras);
    return { p, statistics, again, ...gradients };
  });
}

async function expectSameBits(scores: Scores): Promise<void> {
  const program = programOf(scores);
  const inputs = inputsOf(scores);
  expect(program.nodes.every((node) => tablesOf(node) !== null)).toBe(true);
  const actual = await onDevice(device)(program, inputs, {});
  const expected = runReference(program, inputs);
  for (const { name } of program.outputs)
    expect(bytesOf(actual[name]).equals(bytesOf(expected[name])), name).toBe(true);
  expect(expected.again).toEqual(expected.p);
  const { rows, keys } = scores;
  for (let row = 0; row < sequences * rows; row++) {
    const p = expected.p.subarray(row * keys, (row + 1) * keys);
    const seen = Array.from(p, (_, column) => sees(scores, row % rows, column));
    expect(p.every((x, column) => seen[column] || x === 0)).toBe(true);
    expect(Array.from(p).reduce((sum, x) => sum + x, 0)).toBeCloseTo(seen.includes(true) ? 1 : 0, 5);
  }
}

/** Samples of one length, of many, and the whole sequence as one. */
const samples: Readonly<Record<string, Place | undefined>> = {
  none: undefined,
  'of one token': (query) => query,
  'of three': (query) => query - (query % 3),
  'of sixteen': (query) => query - (query % 16),
  'of seventeen': (query) => query - (query % 17),
  'of fifty': (query) => query - (query % 50),
};

const causal = { scale: 0.25, causal: true, window: null, firstKey: 0 };

describe.each([
  { first: 0, queries: 16, keys: 16, rows: 32 },
  { first: 0, queries: 5, keys: 16, rows: 10 },
  { first: 128, queries: 31, keys: 160, rows: 62 },
  { first: 3, queries: 61, keys: 64, rows: 61 },
])('causal, of queries $first and $queries more over $keys keys', ({ keys, rows, ...queries }) => {
  const block = { ...causal, ...queries, allQueries: keys, allKeys: keys };
  it.each(Object.keys(samples))('has the bits of its reference, samples %s', async (name) => {
    await expectSameBits({ rows, keys, block, begins: samples[name] });
  });

  it('has the bits that it has without begins where all are 0', () => {
    const scores = { rows, keys, block };
    const inputs = inputsOf(scores);
    const masked = programOf({ ...scores, begins: () => 0 });
    expect(runReference(masked, inputs)).toEqual(runReference(programOf(scores), inputs));
  });

  it.each([1, 2, 16, 50])('has the bits of its reference with a window of %i, and a bias', async (window) => {
    await expectSameBits({ rows, keys, block: { ...block, window }, bias: true });
    await expectSameBits({ rows, keys, block: { ...block, window }, begins: samples['of seventeen'] });
  });
});

describe.each([
  { first: 0, queries: 7, keys: 16, rows: 14 },
  { first: 128, queries: 31, keys: 80, rows: 31 },
])('of queries $first and $queries more over any of $keys keys', ({ keys, rows, ...queries }) => {
  const block = { ...causal, ...queries, causal: false, allQueries: 160, allKeys: keys };
  it.each<readonly [string, Place | undefined, Place | undefined]>([
    ['all', undefined, undefined],
    ['the first ones', undefined, (query) => query % (keys + 1)],
    [
      'some, of many lengths',
      (query) => (query * 5) % keys,
      (query) => Math.min(keys, ((query * 5) % keys) + (query % 23)),
    ],
    ['none, or the last', (query) => keys - (query % 2), () => keys],
    ['none, which end before they begin', (query) => query % keys, (query) => Math.max(0, (query % keys) - 1)],
  ])('has the bits of its reference where queries see %s', async (_name, begins, ends) => {
    await expectSameBits({ rows, keys, block, begins, ends, bias: true });
    await expectSameBits({ rows, keys, block, begins, ends });
  });
});

it('has the bits of its reference over keys of which the first are left out', async () => {
  const block = { ...causal, first: 256, queries: 40, window: 70, firstKey: 176, allQueries: 296, allKeys: 304 };
  const scores = { rows: 40, keys: 128, block };
  await expectSameBits(scores);
  await expectSameBits({ ...scores, bias: true, begins: (query) => query - (query % 50), ends: (query) => query - 3 });
  await expectSameBits({ ...scores, ends: (query) => query - 200 });
});

it('has the bits of its reference where columns lie behind the last key', async () => {
  const block = { ...causal, first: 0, queries: 9, allQueries: 9, allKeys: 21 };
  const scores = { rows: 18, keys: 32, block: { ...block, causal: false } };
  await expectSameBits(scores);
  await expectSameBits({ ...scores, bias: true, ends: (query) => 12 + query });
  await expectSameBits({ rows: 9, keys: 16, block: { ...block, allKeys: 9, window: 4 }, bias: true });
});

it('refuses scores of other queries or keys than the block has', () => {
  const block = { ...causal, first: 16, queries: 8, allQueries: 24, allKeys: 24 };
  const make = (scores: Partial<Scores>) => () => programOf({ rows: 8, keys: 24, block, ...scores });
  expect(make({})).not.toThrow();
  for (const wrong of [{ rows: 9 }, { keys: 16 }, { keys: 48 }, { block: { ...block, firstKey: 8 } }])
    expect(make(wrong)).toThrow(/scores \[2, \d+, \d+\] are not of 8 queries from 16/);
});
