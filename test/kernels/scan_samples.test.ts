/** The selective scan in parts: token by token from states, cut anywhere, and over samples that lie one behind the other. */
import { afterAll, describe, expect, it } from 'vitest';
import { CpuDevice, f32, i32, selectiveScan, selectiveScanFrom, trace, vjp, weight } from '../../src/kernels/index.ts';
import type { Data } from '../../src/kernels/dtype.ts';
import { bytesOf, forwardAndBackward, inputsOf, onDevice, onReference, type Inputs, type Run } from './kit.ts';
import { sequencePart } from './sequence_part.ts';

const device = new CpuDevice({ bytes: 2 ** 26 });
afterAll(() => device.close());
const runs: readonly (readonly [string, Run])[] = [
  ['the reference', onReference],
  ['the cpu device', onDevice(device)],
];

const fill = { delta: (i: number) => 0.1 + ((i * 7) % 10) / 10, a: (i: number) => -0.2 - (i % 5) / 4 };
const specsOf = (tokens: number, channels: number, states: number) => ({
  u: f32([2, tokens, channels]),
  delta: f32([2, tokens, channels]),
  a: weight([channels, states]),
  b: f32([2, tokens, states]),
  c: f32([2, tokens, states]),
  d: weight([channels]),
});
/** Two sequences from states. */
const fromState = (tokens: number, states: number) =>
  trace('from', { ...specsOf(tokens, 4, states), state: f32([2, 4, states]) }, ({ state, ...inputs }) => {
    const { y, state: last } = selectiveScanFrom(state, inputs);
    return { y, last };
  });
/** The same of samples. */
const samplesFromState = (tokens: number, states: number) =>
  trace(
    'samples from',
    { ...specsOf(tokens, 4, states), state: f32([2, 4, states]), begins: i32([2 * tokens]) },
    ({ state, ...inputs }) => {
      const { y, state: last } = selectiveScanFrom(state, inputs);
      return { y, last };
    },
  );
const rowwise = ['u', 'delta', 'b', 'c'];
/** `inputs`, of those with a row for each token only these tokens of both sequences. */
const part = (inputs: Inputs, tokens: number, first: number, end: number): Inputs =>
  Object.fromEntries(
    Object.entries(inputs).map(([name, data]) =>
      [...rowwise, 'd_y', 'begins'].includes(name) ? [name, sequencePart(data, tokens, first, end)] : [name, data],
    ),
  );
const expectSame = (actual: Data, expected: Data, what: string): void =>
  expect(bytesOf(actual).equals(bytesOf(expected)), what).toBe(true);

describe.each(runs)('on %s', (_, run) => {
  // Four states are run by generated code, three are not.
  it.each([3, 4])('gives token by token the bits of the whole, %i states', async (states) => {
    const tokens = 37;
    const whole = trace('scan', specsOf(tokens, 4, states), (inputs) => ({ y: selectiveScan(inputs) }));
    const step = fromState(1, states);
    const inputs = inputsOf(whole, fill);
    const { y } = await run(whole, inputs, {});
    let state: Data = new Float32Array(2 * 4 * states);
    for (let t = 0; t < tokens; t++) {
      const one = await run(step, { ...part(inputs, tokens, t, t + 1), state }, {});
      expectSame(one.y, sequencePart(y, tokens, t, t + 1), `token ${t}`);
      state = one.last;
    }
    const { last } = await run(fromState(tokens, states), { ...inputs, state: new Float32Array(8 * states) }, {});
    expectSame(last, state, 'the last state');
  });

  it('may be cut inside of samples and between, forward and gradient', async () => {
    const [tokens, cut] = [50, 39];
    const v = vjp(samplesFromState(tokens, 4));
    // The first sequence is cut inside of a sample, the second where one begins.
    const placesOf = (sequence: number): number[] => (sequence === 0 ? [45, 33, 7] : [cut]);
    const beginOf = (i: number): number => placesOf(Math.floor(i / tokens)).find((place) => place <= i % tokens) ?? -1;
    const inputs: Inputs = { ...inputsOf(v.backward), ...inputsOf(v.forward, { ...fill, begins: beginOf }) };
    const whole = await forwardAndBackward(run, v, inputs, {});

    const one = part(inputs, tokens, 0, cut);
    const two = part(inputs, tokens, cut, tokens);
    const ofOne = vjp(samplesFromState(cut, 4));
    const { last: state } = await run(ofOne.forward, one, {});
    const begins = two.begins.map((begin) => Math.max(begin - cut, -1));
    const second = await forwardAndBackward(run, vjp(samplesFromState(tokens - cut, 4)), { ...two, begins, state }, {});
    const first = await forwardAndBackward(run, ofOne, { ...one, d_last: second.d_state }, {});

    for (const name of ['y', ...rowwise.map((input) => `d_${input}`)]) {
      expectSame(first[name], sequencePart(whole[name], tokens, 0, cut), `${name} before the cut`);
      expectSame(second[name], sequencePart(whole[name], tokens, cut, tokens), `${name} behind the cut`);
    }
    expectSame(second.last, whole.last, 'the last state');
    expectSame(first.d_state, whole.d_state, 'd_state');
  });

  it.each([3, 4])('sends back the gradient of its last state alone, %i states', async (states) => {
    const p = fromState(40, states);
    const [both, last] = [vjp(p), vjp(p, { from: ['last'] })];
    const inputs = { ...inputsOf(both.backward), ...inputsOf(p, fill), d_y: new Float32Array(2 * 40 * 4) };
    const expected = await forwardAndBackward(run, both, inputs, {});
    const actual = await forwardAndBackward(run, last, inputs, {});
    for (const { name } of both.backward.outputs) expect(actual[name], name).toEqual(expected[name]);
    expect(actual.d_state.some((x) => x !== 0)).toBe(true);
  });

  it('is for each sample, bit by bit, what it is for the sample alone, whatever lies before', async () => {
    const lengths = [3, 1, 40, 20];
    const tokens = 64;
    const places = lengths.map((_, i) => lengths.slice(0, i).reduce((sum, length) => sum + length, 0));
    const samples = { ...specsOf(tokens, 4, 8), begins: i32([2, tokens]) };
    const v = vjp(trace('samples', samples, (inputs) => ({ y: selectiveScan(inputs) })));
    const inputs = {
      ...inputsOf(v.backward),
      ...inputsOf(v.forward, { ...fill, begins: (i) => places.findLast((place) => place <= i % tokens) ?? 0 }),
    };
    // The first sample of the first sequence has nothing that others could use.
    for (const name of ['u', 'b', 'c']) inputs[name].fill(NaN, 0, (3 * inputs[name].length) / (2 * tokens));
    const whole = await forwardAndBackward(run, v, inputs, {});
    for (const [i, place] of places.entries()) {
      if (i === 0) continue;
      const end = place + lengths[i];
      const alone = vjp(trace('alone', specsOf(lengths[i], 4, 8), (values) => ({ y: selectiveScan(values) })));
      const own = await forwardAndBackward(run, alone, part(inputs, tokens, place, end), {});
      for (const name of ['y', ...rowwise.map((input) => `d_${input}`)])
        expectSame(own[name], sequencePart(whole[name], tokens, place, end), `${name} of sample ${i}`);
    }
  });
});

it.each([
  { name: 'a begin ahead', begins: [0, 2, 2, 2] },
  { name: 'a begin that nobody has', begins: [0, 0, 1, 1] },
  { name: 'a sample that goes on where there is no state', begins: [-1, -1, 2, 2] },
])('refuses $name', async ({ begins }) => {
  const bad = begins.findIndex((begin, t) => begin !== t && begin !== (begins[t - 1] ?? 0));
  const words = `selective_scan: the sample of token ${bad} begins at ${begins[bad]}, neither there nor where`;
  for (const states of [3, 4]) {
    const specs = { ...specsOf(4, 4, states), begins: i32([2, 4]) };
    const p = trace('samples', specs, (inputs) => ({ y: selectiveScan(inputs) }));
    const inputs = inputsOf(p, { ...fill, begins: (i) => begins[i % 4] });
    for (const [, run] of runs) await expect((async () => await run(p, inputs, {}))()).rejects.toThrow(words);
  }
});

it('refuses a state and begins that do not fit', () => {
  const from = (states: number, tokens: number): unknown =>
    trace(
      'scan',
      { ...specsOf(4, 4, 8), state: f32([2, 4, states]), begins: i32([2, tokens]) },
      ({ state, ...inputs }) => ({ y: selectiveScanFrom(state, inputs).y }),
    );
  expect(() => from(4, 4)).toThrow('selective_scan: state [2, 4, 4] is not of [2, 4, 8]');
  expect(() => from(8, 5)).toThrow('selective_scan: begins [2, 5] are not of sequences [2, 4]');
});
