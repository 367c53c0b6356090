/** The configs of papers: each counts the parameters that its paper has, to the last one, without a byte of them. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { buildModel } from '../../src/models/families/index.ts';
import { countParameters, type ParameterCount } from '../../src/models/costs.ts';
import { modelConfigOf, traceSettingsOf } from '../../src/models/from_topology.ts';
import { parseTopology } from '../../src/topology/index.ts';
import { troupeHere } from '../cli/here.ts';

const folder = fileURLToPath(new URL('../../configs/paper', import.meta.url));

function counted(name: string, settings: Readonly<Record<string, unknown>> = {}): ParameterCount {
  const overrides = Object.entries(settings).map(([key, value]) => ({ path: key.split('.'), value, source: key }));
  const topology = parseTopology(readFileSync(`${folder}/${name}.yaml`, 'utf8'), `${name}.yaml`, overrides);
  const config = modelConfigOf(topology, topology.model.vocab_size!);
  // Parameters do not depend on the length of a microbatch.
  const model = buildModel({ config, settings: { ...traceSettingsOf(topology, 1), sequence: 8 } });
  return countParameters(model, config);
}

/** Beside embedding and head, as papers count. */
const besideEnds = ({ total, embedding, head }: ParameterCount): number => total - embedding - head;

const exact: readonly (readonly [name: string, total: number, active: number, besideEnds: number])[] = [
  ['llama-3.1-8b', 8_030_261_248, 8_030_261_248, 6_979_588_096],
  ['llama-3.1-minitron-4b-depth', 4_540_469_248, 4_540_469_248, 3_489_796_096],
  ['llama-3.1-minitron-4b-width', 4_512_746_496, 4_512_746_496, 3_724_741_632],
  ['mamba-100m', 197_984_256, 197_984_256, 120_717_312],
  ['mamba-25m', 78_643_200, 78_643_200, 27_131_904],
  ['minitron-4b', 4_190_509_056, 4_190_509_056, 2_617_645_056],
  ['minitron-8b', 8_271_699_968, 8_271_699_968, 6_174_547_968],
  ['mistral-nemo-12b', 12_247_782_400, 12_247_782_400, 10_905_605_120],
  ['mixtral-8x7b', 46_702_792_704, 12_879_925_248, 46_440_648_704],
  ['mn-minitron-8b', 8_414_105_600, 8_414_105_600, 7_340_363_776],
  ['moe-mamba-100m', 2_516_336_640, 194_789_376, 2_439_069_696],
  ['moe-mamba-25m', 593_739_776, 77_840_384, 542_228_480],
  ['nemotron-4-15b', 15_628_775_424, 15_628_775_424, 12_483_047_424],
  ['nemotron-4-340b', 341_029_195_776, 341_029_195_776, 331_592_011_776],
  ['switch-base-128e', 7_386_895_104, 195_760_896, 7_362_220_800],
  ['switch-base-16e', 1_044_075_264, 194_728_704, 1_019_400_960],
  ['switch-base-256e', 14_635_832_064, 196_940_544, 14_611_157_760],
  ['switch-base-32e', 1_950_192_384, 194_876_160, 1_925_518_080],
  ['switch-base-64e', 3_762_426_624, 195_171_072, 3_737_752_320],
  ['switch-c-2048e', 1_571_053_346_720, 1_472_700_320, 1_570_986_520_480],
  ['switch-xxl', 392_932_757_504, 9_405_599_744, 392_801_161_216],
  ['t-moe-100m', 2_531_377_152, 190_955_520, 2_454_110_208],
  ['t-moe-25m', 596_918_272, 76_824_576, 545_406_976],
  ['transformer-25m', 76_693_504, 76_693_504, 25_182_208],
];

it.each(exact)('%s has %i parameters, %i of them active, %i beside embedding and head', (name, ...expected) => {
  const count = counted(name);
  expect([count.total, count.active, besideEnds(count)]).toEqual(expected);
});

it('no config of a paper is left out', () => {
  expect(readdirSync(folder).sort()).toEqual(exact.map(([name]) => `${name}.yaml`).sort());
});

type Part = (count: ParameterCount) => number;
const activeBesideEnds: Part = ({ active, embedding, head }) => active - embedding - head;
const ends: Part = ({ embedding, head }) => embedding + head;
/** Attention and networks, without norms and routers. */
const matrices: Part = ({ mixers, denseFfn, experts }) => mixers + denseFfn + experts;

/** In millions or billions, to as many digits as `published` has. */
const rounded = (value: number, unit: number, published: string): string =>
  (value / unit).toFixed(published.split('.')[1]?.length ?? 0);

it.each<[name: string, what: string, part: Part, millions: string]>([
  ['mamba-25m', 'without norms', matrices, '27.116'],
  ['mamba-100m', 'without norms', matrices, '120.668'],
  ['transformer-25m', 'without norms', matrices, '25.17'],
  ['t-moe-25m', 'without norms and routers', matrices, '545.3'],
  ['t-moe-100m', 'all', besideEnds, '2454'],
  ['moe-mamba-25m', 'all', besideEnds, '542.23'],
  ['moe-mamba-25m', 'active', activeBesideEnds, '26.33'],
  ['moe-mamba-100m', 'all', besideEnds, '2439.07'],
  ['moe-mamba-100m', 'active', activeBesideEnds, '117.52'],
  ['nemotron-4-15b', 'all', besideEnds, '12483'],
  ['nemotron-4-15b', 'embedding and head', ends, '3146'],
  ['nemotron-4-340b', 'all', besideEnds, '331592'],
  ['nemotron-4-340b', 'embedding and head', ends, '9437'],
  ['minitron-8b', 'embedding and head', ends, '2097'],
  ['minitron-4b', 'embedding and head', ends, '1573'],
])('beside its ends, or of them, %s has in M what is said of it: %s', (name, _what, part, published) => {
  expect(rounded(part(counted(name)), 1e6, published)).toBe(published);
});

it.each([
  [32, '416.4'],
  [4, '63.9'],
])('moe-mamba-25m with %i experts has %s M beside its ends', (experts, published) => {
  const count = counted('moe-mamba-25m', { 'moe.num_experts': experts });
  expect(rounded(besideEnds(count), 1e6, published)).toBe(published);
});

it.each([
  ['switch-base-16e', 12 * 4 * 768 ** 2, '1.07'],
  ['switch-base-32e', 12 * 4 * 768 ** 2, '1.98'],
  ['switch-base-64e', 12 * 4 * 768 ** 2, '3.79'],
  ['switch-base-128e', 12 * 4 * 768 ** 2, '7.42'],
  ['switch-base-256e', 12 * 4 * 768 ** 2, '14.66'],
  ['switch-xxl', 24 * 4 * 4096 ** 2, '395'],
  ['switch-c-2048e', 15 * 4 * 2080 * 2048, '1571'],
])('%s lacks %i parameters of attention between the stacks, and has with them the %s B of the paper', (...row) => {
  const [name, across, published] = row;
  expect(rounded(counted(name).total + across, 1e9, published)).toBe(published);
});

it('the command prints what is counted', async () => {
  const { stdout } = await troupeHere(folder, ['plan', 'mixtral-8x7b.yaml', '--json']);
  expect(JSON.parse(stdout)).toMatchObject({
    name: 'mixtral-8x7b',
    parameters: { total: 46_702_792_704, active: 12_879_925_248 },
  });
});
