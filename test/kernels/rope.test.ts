/** Rotary positions: frequencies by their formulas, parts of a head, given positions, and what is refused. */
import { afterAll, describe, expect, it } from 'vitest';
import { CpuDevice, f32, i32, rope, ShapeError, trace, vjp, type RopeOptions } from '../../src/kernels/index.ts';
import { ropeFrequencies, type RopeScaling } from '../../src/kernels/ops/rope_frequencies.ts';
import { runReference } from '../../src/kernels/reference.ts';
import { bytesOf, forwardAndBackward, inputsOf, onDevice, onReference, relativeError } from './kit.ts';

const device = new CpuDevice({ bytes: 2 ** 26 });
afterAll(() => device.close());
const run = onDevice(device);

type Plain = Omit<RopeOptions, 'positions'>;
/** Of heads of `channels`, at given positions where there is a `most`. */
const program = (tokens: number, channels: number, options: Plain) =>
  trace('rope', { x: f32([2, 3, tokens, channels]), positions: i32([2, tokens]) }, ({ x, positions }) => ({
    y: rope(x, { ...options, ...(options.most === undefined ? {} : { positions }) }),
  }));
const llama3: RopeScaling = {
  rope_type: 'llama3',
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 32,
};
const yarn = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 2048 } as const;

describe('frequencies', () => {
  const close = (actual: readonly number[], expected: readonly number[]): void => {
    expect(actual.length).toBe(expected.length);
    actual.forEach((x, i) => expect(x / expected[i]).toBeCloseTo(1, 6));
  };

  it('fall from 1 by equal factors', () => {
    close(ropeFrequencies(1e4, 8).frequencies, [1, 0.1, 0.01, 0.001]);
    close(ropeFrequencies(1e6, 6, { rope_type: 'default' }).frequencies, [1, 0.01, 0.0001]);
  });

  it('are divided by the factor of a linear scaling', () => {
    close(ropeFrequencies(1e4, 4, { rope_type: 'linear', factor: 4 }).frequencies, [0.25, 0.0025]);
  });

  it('are those of Llama 3.1 where a context of 32 is extended eightfold', () => {
    // Of theta^(−i/8), theta = 500,000: pair 0 turns 5.09 times in 32 tokens, more than 4; pair 1 0.99 times, less than 1.
    const plain = Array.from({ length: 8 }, (_, i) => 5e5 ** (-i / 8));
    close(ropeFrequencies(5e5, 16, llama3).frequencies, [plain[0], ...plain.slice(1).map((f) => f / 8)]);
    // In a context of 64 pair 1 turns 1.975 times: (1.975 − 1) / (4 − 1) of it is kept.
    const turns = (64 * plain[1]) / (2 * Math.PI);
    const kept = (turns - 1) / 3;
    expect(kept).toBeGreaterThan(0.3);
    expect(kept).toBeLessThan(0.35);
    const longer = ropeFrequencies(5e5, 16, { ...llama3, original_max_position_embeddings: 64 }).frequencies;
    close(longer.slice(0, 3), [plain[0], plain[1] * (kept + (1 - kept) / 8), plain[2] / 8]);
  });

  it('are ramped by parts where YaRN says so', () => {
    // Pair p of 16 turns 2048 · 10000^(−p/16) / 2π times: 32 times at p = 4.03, once at p = 10.05; whole numbers around are 4 and 11.
    const { frequencies, attentionFactor } = ropeFrequencies(1e4, 32, yarn);
    const slowed = (p: number): number => Math.min(Math.max((p - 4) / 7, 0), 1);
    close(
      frequencies,
      Array.from({ length: 16 }, (_, p) => 1e4 ** (-p / 16) * (1 - slowed(p) + slowed(p) / 4)),
    );
    expect(attentionFactor).toBeCloseTo(0.1 * Math.log(4) + 1, 12);
  });

  it('are those that transformers 4.57 gives', () => {
    const { frequencies, attentionFactor } = ropeFrequencies(1e6, 16, {
      rope_type: 'yarn',
      factor: 2.5,
      original_max_position_embeddings: 4096,
      ...{ beta_fast: 20, beta_slow: 2, mscale: 0.8, mscale_all_dim: 0.6, truncate: false },
    });
    const ofYarn = [1, 0.17782794, 0.031622779, 0.0031372465, 0.00039999999, 7.1131173e-5, 1.264911e-5, 2.2493653e-6];
    close(frequencies, ofYarn);
    expect(attentionFactor).toBeCloseTo(1.0173708118, 9);
    const ofLlama3 = [
      1, 0.079403013, 0.0047007538, 9.1158313e-4, 1.7677668e-4, 3.4281024e-5, 6.6478697e-6, 1.2891732e-6,
    ];
    close(ropeFrequencies(5e5, 16, { ...llama3, original_max_position_embeddings: 64 }).frequencies, ofLlama3);
  });

  it('take the attention factor that is given, or that of mscale', () => {
    const factorOf = (more: object): number => ropeFrequencies(1e4, 32, { ...yarn, ...more }).attentionFactor;
    expect(factorOf({ attention_factor: 1.5 })).toBe(1.5);
    expect(factorOf({ mscale: 1, mscale_all_dim: 1 })).toBe(1);
    const [one, two] = [0.707, 1].map((scale) => 0.1 * scale * Math.log(4) + 1);
    expect(factorOf({ mscale: 0.707, mscale_all_dim: 1 })).toBeCloseTo(one / two, 12);
    expect(factorOf({ factor: 0.5 })).toBe(1);
  });
});

it('turns the first channels of a head by halves and lets the others pass', async () => {
  const options = { theta: 100, share: 0.5 };
  const p = program(6, 16, options);
  const inputs = inputsOf(p);
  const { y } = await run(p, inputs, {});
  const x = inputs.x;
  for (let row = 0; row < 36; row++) {
    for (let i = 0; i < 4; i++) {
      const [a, b] = [x[row * 16 + i], x[row * 16 + 4 + i]];
      const angle = (row % 6) * 100 ** (-i / 4);
      expect(y[row * 16 + i]).toBeCloseTo(a * Math.cos(angle) - b * Math.sin(angle), 5);
      expect(y[row * 16 + 4 + i]).toBeCloseTo(a * Math.sin(angle) + b * Math.cos(angle), 5);
    }
    expect(y.slice(row * 16 + 8, row * 16 + 16)).toEqual(x.slice(row * 16 + 8, row * 16 + 16));
  }
});

it.each([
  { channels: 16, share: 1, scaling: undefined },
  { channels: 16, share: 0.5, scaling: llama3 },
  { channels: 20, share: 0.3, scaling: yarn },
  { channels: 26, share: 0.4, scaling: yarn },
])(
  'has the bits at positions 0, 1, 2 … that it has without positions: $channels channels, share $share',
  async (options) => {
    const { channels, ...others } = options;
    const counted = vjp(program(5, channels, { theta: 1e4, ...others }));
    const given = vjp(program(5, channels, { theta: 1e4, ...others, most: 9 }));
    const inputs = inputsOf(given.forward, { positions: (i) => i % 5 });
    const expected = await forwardAndBackward(run, counted, inputs, {});
    for (const each of [run, onReference]) {
      const actual = await forwardAndBackward(each, given, inputs, {});
      for (const name of ['y', 'd_x']) expect(bytesOf(actual[name]).equals(bytesOf(expected[name])), name).toBe(true);
    }
  },
);

it('gives a token at a position the bits of a whole sequence there', async () => {
  const whole = program(7, 16, { theta: 1e4, scaling: llama3 });
  const one = program(1, 16, { theta: 1e4, scaling: llama3, most: 64 });
  const { x } = inputsOf(whole);
  const { y } = await run(whole, { x, positions: new Int32Array(14) }, {});
  const last = (data: typeof y): Float32Array =>
    Float32Array.from({ length: 96 }, (_, i) => data[Math.floor(i / 16) * 112 + 96 + (i % 16)]);
  const actual = await run(one, { x: last(x), positions: Int32Array.of(6, 6) }, {});
  expect(bytesOf(actual.y).equals(bytesOf(last(y)))).toBe(true);
});

it('depends on how far two tokens are apart only', async () => {
  const p = program(2, 16, { theta: 1e4, most: 30_000 });
  const x = inputsOf(p).x;
  const dots = async (first: number): Promise<readonly number[]> => {
    const { y } = await run(p, { x, positions: Int32Array.of(first, first + 5, first, first + 5) }, {});
    return Array.from({ length: 6 }, (_, head) =>
      Array.from({ length: 16 }, (_, i) => y[head * 32 + i] * y[head * 32 + 16 + i]).reduce((sum, z) => sum + z, 0),
    );
  };
  expect(relativeError(Float32Array.from(await dots(29_000)), Float32Array.from(await dots(3)))).toBeLessThan(1e-5);
});

describe('refuses', () => {
  const refused = (options: Plain, channels = 16): unknown => program(4, channels, options);
  it('a scaling that it does not know, by name', () => {
    // As it may come out of a file.
    const scaling = JSON.parse('{ "rope_type": "longrope", "factor": 4 }') as RopeScaling;
    expect(() => refused({ theta: 1e4, scaling })).toThrow(ShapeError);
    expect(() => refused({ theta: 1e4, scaling })).toThrow(
      'rope: scaling longrope is unknown; default, linear, llama3 and yarn are known',
    );
  });

  it.each([
    [{ theta: 0 }, 'theta is 0, needs to be above 0'],
    [{ theta: 1e4, share: 0 }, 'share is 0, needs to be above 0 and at most 1'],
    [{ theta: 1e4, share: 0.2 }, '3 of 16 channels rotate, needs to be an even number'],
    [{ theta: 1e4, most: 0 }, 'positions are given, and most is 0'],
    [{ theta: 1e4, scaling: { rope_type: 'linear', factor: 0 } }, 'factor is 0, needs to be above 0'],
    [{ theta: 1e4, scaling: { ...llama3, low_freq_factor: 4 } }, 'low_freq_factor 4 is not below high_freq_factor 4'],
  ] as const)('%o', (options, words) => {
    expect(() => refused(options)).toThrow(words);
  });

  it('positions that are not one a token', () => {
    const wrong = (): unknown =>
      trace('rope', { x: f32([2, 3, 4, 8]), positions: i32([2, 5]) }, ({ x, positions }) => ({
        y: rope(x, { theta: 1e4, positions, most: 9 }),
      }));
    expect(wrong).toThrow('rope: positions [2, 5] are not of sequences [2, 4]');
  });

  it.each([-1, 9])('position %i of a table of 9', async (position) => {
    for (const channels of [16, 4]) {
      const p = program(4, channels, { theta: 1e4, most: 9 });
      const inputs = inputsOf(p, { positions: (i) => (i === 5 ? position : 0) });
      const words = `token 5 is at position ${position}, outside of 0 to 8`;
      await expect(run(p, inputs, {})).rejects.toThrow(words);
      expect(() => runReference(p, inputs, {})).toThrow(words);
    }
  });
});
