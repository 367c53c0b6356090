/** The causal convolution in parts: token by token from states, cut anywhere, and over samples that lie one behind the other. */
import { afterAll, describe, expect, it } from 'vitest';
import { causalConv, causalConvFrom, CpuDevice, f32, i32, trace, vjp, weight } from '../../src/kernels/index.ts';
import type { Data } from '../../src/kernels/dtype.ts';
import { bytesOf, forwardAndBackward, inputsOf, onDevice, onReference, type Inputs, type Run } from './kit.ts';
import { sequencePart } from './sequence_part.ts';

const device = new CpuDevice({ bytes: 2 ** 26 });
afterAll(() => device.close());
const runs: readonly (readonly [string, Run])[] = [
  ['the reference', onReference],
  ['the cpu device', onDevice(device)],
];

// Four channels are run by generated code, three are not.
const specsOf = (tokens: number, channels: number) => ({
  x: f32([2, tokens, channels]),
  w: weight([channels, 4]),
  b: weight([channels]),
});
const whole = (tokens: number, channels: number) =>
  trace('conv', specsOf(tokens, channels), (inputs) => ({ y: causalConv(inputs) }));
const samples = (tokens: number, channels: number) =>
  trace('samples', { ...specsOf(tokens, channels), begins: i32([2, tokens]) }, (inputs) => ({ y: causalConv(inputs) }));
const fromState = (tokens: number, channels: number) =>
  trace('from', { ...specsOf(tokens, channels), state: f32([2, 3, channels]) }, ({ state, ...inputs }) => {
    const { y, state: last } = causalConvFrom(state, inputs);
    return { y, last };
  });
const samplesFromState = (tokens: number, channels: number) =>
  trace(
    'samples from',
    { ...specsOf(tokens, channels), state: f32([2, 3, channels]), begins: i32([2 * tokens]) },
    ({ state, ...inputs }) => {
      const { y, state: last } = causalConvFrom(state, inputs);
      return { y, last };
    },
  );
const part = (inputs: Inputs, tokens: number, first: number, end: number): Inputs =>
  Object.fromEntries(
    Object.entries(inputs).map(([name, data]) =>
      ['x', 'd_y', 'begins'].includes(name) ? [name, sequencePart(data, tokens, first, end)] : [name, data],
    ),
  );
const expectSame = (actual: Data, expected: Data, what: string): void =>
  expect(bytesOf(actual).equals(bytesOf(expected)), what).toBe(true);

describe.each(runs.flatMap(([name, run]) => [3, 4].map((channels) => ({ name, run, channels }))))(
  'on $name, $channels channels',
  ({ run, channels }) => {
    it('gives token by token the bits of the whole', async () => {
      const tokens = 9;
      const p = whole(tokens, channels);
      const inputs = inputsOf(p);
      const { y } = await run(p, inputs, {});
      let state: Data = new Float32Array(2 * 3 * channels);
      for (let t = 0; t < tokens; t++) {
        const one = await run(fromState(1, channels), { ...part(inputs, tokens, t, t + 1), state }, {});
        expectSame(one.y, sequencePart(y, tokens, t, t + 1), `token ${t}`);
        state = one.last;
      }
      expectSame(state, sequencePart(inputs.x, tokens, tokens - 3, tokens), 'the last state');
    });

    it.each([1, 2, 6, 10])(
      'may be cut behind token %i, inside of samples and between, forward and gradient',
      async (cut) => {
        const tokens = 12;
        const v = vjp(samplesFromState(tokens, channels));
        const placesOf = (sequence: number): number[] => (sequence === 0 ? [9, 5, 4] : [cut]);
        const beginOf = (i: number): number =>
          placesOf(Math.floor(i / tokens)).find((place) => place <= i % tokens) ?? -1;
        const inputs: Inputs = { ...inputsOf(v.backward), ...inputsOf(v.forward, { begins: beginOf }) };
        const expected = await forwardAndBackward(run, v, inputs, {});

        const one = part(inputs, tokens, 0, cut);
        const two = part(inputs, tokens, cut, tokens);
        const ofOne = vjp(samplesFromState(cut, channels));
        const { last: state } = await run(ofOne.forward, one, {});
        const begins = two.begins.map((begin) => Math.max(begin - cut, -1));
        const ofTwo = vjp(samplesFromState(tokens - cut, channels));
        const second = await forwardAndBackward(run, ofTwo, { ...two, begins, state }, {});
        const first = await forwardAndBackward(run, ofOne, { ...one, d_last: second.d_state }, {});

        expectSame(first.y, sequencePart(expected.y, tokens, 0, cut), 'y before the cut');
        expectSame(second.y, sequencePart(expected.y, tokens, cut, tokens), 'y behind the cut');
        expectSame(second.last, expected.last, 'the last state');
        // A row that both parts see has a sum of two parts.
        const d_x = [first.d_x, second.d_x].map((data, i) => [data, i === 0 ? [0, cut] : [cut, tokens]] as const);
        for (const [data, [from, end]] of d_x)
          sequencePart(expected.d_x, tokens, from, end).forEach((each, i) => expect(data[i]).toBeCloseTo(each, 5));
        expected.d_state.forEach((each, i) => expect(first.d_state[i]).toBeCloseTo(each, 5));
      },
    );

    it('is for each sample, bit by bit, what it is for the sample alone, whatever lies before', async () => {
      const lengths = [3, 1, 2, 6];
      const tokens = 12;
      const places = lengths.map((_, i) => lengths.slice(0, i).reduce((sum, length) => sum + length, 0));
      const v = vjp(samples(tokens, channels));
      const inputs = {
        ...inputsOf(v.backward),
        ...inputsOf(v.forward, { begins: (i) => places.findLast((place) => place <= i % tokens) ?? 0 }),
      };
      inputs.x.fill(NaN, 0, 3 * channels);
      const together = await forwardAndBackward(run, v, inputs, {});
      for (const [i, place] of places.entries()) {
        if (i === 0) continue;
        const end = place + lengths[i];
        const own = await forwardAndBackward(
          run,
          vjp(whole(lengths[i], channels)),
          part(inputs, tokens, place, end),
          {},
        );
        for (const name of ['y', 'd_x'])
          expectSame(own[name], sequencePart(together[name], tokens, place, end), `${name} of sample ${i}`);
      }
    });

    it('carries nothing over to a next sample', async () => {
      const p = samplesFromState(5, channels);
      const inputs = inputsOf(p, { begins: (i) => [0, 0, 0, 0, 4, -1, -1, -1, -1, -1][i] });
      const { last } = await run(p, inputs, {});
      expectSame(last.subarray(0, 2 * channels), new Float32Array(2 * channels), 'rows before the last sample');
      expectSame(
        last.subarray(2 * channels),
        Float32Array.from([...inputs.x.subarray(4 * channels, 5 * channels), ...inputs.x.subarray(7 * channels)]),
        'rows of it',
      );
    });
  },
);

it('refuses begins that cannot be, and a state that does not fit', async () => {
  for (const channels of [3, 4]) {
    const inputs = inputsOf(samples(4, channels), { begins: (i) => [0, 0, 3, 3][i % 4] });
    for (const [, run] of runs) {
      const refused = (async () => await run(samples(4, channels), inputs, {}))();
      await expect(refused).rejects.toThrow('causal_conv: the sample of token 2 begins at 3, neither there nor where');
    }
  }
  const wrong = (): unknown =>
    trace('wrong', { ...specsOf(4, 4), state: f32([2, 4, 4]) }, ({ state, ...inputs }) => ({
      y: causalConvFrom(state, inputs).y,
    }));
  expect(wrong).toThrow('causal_conv: state [2, 4, 4] is not of [2, 3, 4]');
});
