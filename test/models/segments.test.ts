/** Samples that lie one behind the other in a sequence: they get the losses and gradients that they have in rows of their own. */
import { afterAll, expect, it } from 'vitest';
import { family as parallelExperts } from '../../examples/parallel_experts.ts';
import { CpuDevice, vjp } from '../../src/kernels/index.ts';
import { floats, type Data } from '../../src/kernels/dtype.ts';
import { checkSublayers } from '../../src/models/check_sublayers.ts';
import { buildModel } from '../../src/models/families/index.ts';
import { batchStreams, layersOf, type Model } from '../../src/models/model.ts';
import type { Mixer } from '../../src/models/sublayer.ts';
import { unit } from '../../src/runtime/testing/index.ts';
import { onDevice, relativeError } from '../kernels/kit.ts';
import {
  denseConfig,
  modelOf,
  parametersOf,
  runStepsOf,
  tinyConfig,
  tinyMoe,
  tinySettings,
  valuesOf,
  usualSublayers,
} from './kit.ts';

const device = new CpuDevice({ bytes: 2 ** 29 });
afterAll(() => device.close());
const run = onDevice(device);

/** Rows of tokens: no target and no loss where a row is padding. */
interface Batch {
  readonly tokens: readonly number[];
  readonly targets: readonly number[];
  readonly begins: readonly number[];
}

const PADDING = -1;
const tokenOf = (sample: number, place: number): number => Math.floor(unit(sample, place) * denseConfig.vocab_size);
const lengths = [5, 19, 9];
const samples = lengths.map((length, sample) => ({
  tokens: Array.from({ length }, (_, place) => tokenOf(sample, place)),
  targets: Array.from({ length }, (_, place) => tokenOf(sample, place + 1)),
}));

/** One behind the other, and padding of three rows as a sample of its own. */
const packed: Batch = {
  tokens: [...samples.flatMap(({ tokens }) => tokens), 0, 0, 0],
  targets: [...samples.flatMap(({ targets }) => targets), PADDING, PADDING, PADDING],
  begins: [...lengths, 3].flatMap((length, i, all) => {
    const begin = all.slice(0, i).reduce((sum, n) => sum + n, 0);
    return new Array<number>(length).fill(begin);
  }),
};
const width = Math.max(...lengths);
const padTo = (row: readonly number[], filler: number) => [
  ...row,
  ...new Array<number>(width - row.length).fill(filler),
];
const padded: Batch = {
  tokens: samples.flatMap(({ tokens }) => padTo(tokens, 0)),
  targets: samples.flatMap(({ targets }) => padTo(targets, PADDING)),
  begins: [],
};

/** Every token's loss, and the gradients of their sum, by the model's programs and their derivatives. */
async function train(model: Model, { tokens, targets, begins }: Batch) {
  const values = valuesOf(parametersOf(model, 0), 5);
  const streams: Record<string, Data> = {
    [batchStreams.tokens]: Int32Array.from(tokens),
    [batchStreams.targets]: Int32Array.from(targets),
    [batchStreams.begins]: Int32Array.from(begins),
  };
  const done = [];
  for (const { program, weights, reads, writes } of runStepsOf(model)) {
    const v = vjp(program);
    const known: Record<string, Data> = {};
    for (const [input, stream] of Object.entries(reads)) known[input] = streams[stream];
    for (const [input, { name }] of Object.entries(weights)) known[input] = values[name];
    Object.assign(known, await run(v.forward, known, {}));
    for (const [output, stream] of Object.entries(writes)) streams[stream] = known[output];
    done.push({ v, known, weights, reads, writes });
  }
  const isTrained = targets.map((target) => target !== PADDING);
  const cotangents: Record<string, Data> = {
    [model.objective.losses]: Float32Array.from(isTrained, (is) => (is ? 1 : 0)),
  };
  const gradients: Record<string, Data> = {};
  for (const { v, known, weights, reads, writes } of done.reverse()) {
    for (const [output, stream] of Object.entries(writes)) known[`d_${output}`] = cotangents[stream];
    const made = await run(v.backward, known, {});
    for (const [input, { name }] of Object.entries(weights)) gradients[name] = made[`d_${input}`];
    for (const [input, stream] of Object.entries(reads)) cotangents[stream] = made[`d_${input}`];
  }
  const losses = [...floats('losses', streams[model.objective.losses])].filter((_, row) => isTrained[row]);
  return { losses: Float32Array.from(losses), gradients };
}

it('get the losses and weight gradients that they have with one sample a row', async () => {
  const sequence = packed.tokens.length;
  const one = modelOf(denseConfig, { ...tinySettings, batch: 1, sequence, segments: true });
  const each = modelOf(denseConfig, { ...tinySettings, batch: samples.length, sequence: width });
  const [actual, expected] = [await train(one, packed), await train(each, padded)];
  expect(actual.losses).toHaveLength(lengths.reduce((sum, n) => sum + n, 0));
  expect(relativeError(actual.losses, expected.losses)).toBeLessThan(1e-5);
  expect(Object.keys(actual.gradients)).toEqual(Object.keys(expected.gradients));
  for (const [name, gradient] of Object.entries(actual.gradients))
    expect(relativeError(gradient, expected.gradients[name]), name).toBeLessThan(1e-5);
  // It could fail: a token that sees the sample before has another loss.
  const seeing = await train(one, { ...packed, begins: packed.begins.map(() => 0) });
  expect(relativeError(seeing.losses, expected.losses)).toBeGreaterThan(1e-2);
});

const segmented = { ...tinySettings, segments: true };
const everyLayer = { ...tinyConfig, moe: { ...tinyMoe, layers: [0, 1, 2, 3] } };
const readsBegins = (model: Model): boolean[] =>
  layersOf(model).map(({ steps }) =>
    steps.some((step) => step.kind === 'run' && Object.values(step.reads).includes(batchStreams.begins)),
  );

it.each([
  ['transformer', denseConfig, undefined],
  ['switch', tinyConfig, undefined],
  ['decoder with experts beside attention', everyLayer, parallelExperts],
] as const)('each layer of a %s reads where they begin, and none where a sequence is one', (_name, config, family) => {
  const parts = { config, sublayers: usualSublayers };
  const between = new Array<boolean>(4).fill(true);
  expect(readsBegins(buildModel({ ...parts, settings: segmented }, family))).toEqual([false, ...between, false]);
  const whole = buildModel({ ...parts, settings: tinySettings }, family);
  expect(readsBegins(whole)).not.toContain(true);
  expect(runStepsOf(whole).flatMap(({ program }) => program.inputs.map(({ name }) => name))).not.toContain('begins_R');
});

/** Adds to each row the one before it, whosever that is. */
const deaf: Mixer = {
  weights: () => ({}),
  apply: (h_RD, _weights, { batch: B, sequence: T, hidden: D }, { pad, reshape, slice }) =>
    reshape(pad(slice(reshape(h_RD, [B, T, D]), 1, 0, T - 1), 1, 1, 0), [B * T, D]),
};
const refusal =
  'does not read begins_R, so that samples of a sequence would see each other; let it, or do not pack samples';

it('are refused by the name of the block whose mixer does not keep them apart', () => {
  const sublayers = { ...usualSublayers, mixer: deaf };
  expect(() => modelOf(denseConfig, segmented, sublayers)).toThrow(new TypeError(`dense_block ${refusal}`));
  expect(() => modelOf(everyLayer, segmented, sublayers)).toThrow(new TypeError(`sparse_block ${refusal}`));
  expect(() => checkSublayers(denseConfig, segmented, sublayers)).toThrow(new TypeError(`mixer ${refusal}`));
  expect(() => checkSublayers(denseConfig, segmented, usualSublayers)).not.toThrow();
  expect(() => modelOf(denseConfig, tinySettings, sublayers)).not.toThrow();
});

it('are refused by the name of the layer where a family asks for no begins', () => {
  const parts = { config: denseConfig, settings: segmented, sublayers: usualSublayers };
  const build = () =>
    buildModel(parts, ({ config, settings, sublayers }, { decoder, denseBlock, layerShape }) => {
      const block = denseBlock({ shape: layerShape(config, 0), settings: { ...settings, segments: false }, sublayers });
      return decoder(config, settings, (layer, _index, x_RD) => layer.run(block, { x_RD }).y_RD);
    });
  expect(build).toThrow(new TypeError(`model.layers.0 ${refusal}`));
});
