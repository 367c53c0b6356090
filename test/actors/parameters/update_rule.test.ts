/** Both update rules over arenas of a device, as whoever holds parameters drives them, against plain float64. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bucketsOf } from '../../../src/actors/parameters/bucket_plan.ts';
import { ruleOf, storedNames } from '../../../src/actors/parameters/rules.ts';
import { CpuDevice } from '../../../src/kernels/cpu/device.ts';
import { bytesOf, relativeError } from '../../kernels/kit.ts';
import { smallTopology } from '../kit.ts';
import {
  alsoWide,
  embedding,
  hiddenRow,
  holderOn,
  holdings,
  lrOf,
  norm,
  parameters,
  plainAdamw,
  plainMuon,
  steps,
  tall,
  wide,
} from './update_rules.ts';

const muon = { name: 'muon' } as const;
const { weight_decay: decay } = smallTopology().optimizer;

const near = new CpuDevice({ bytes: 2 ** 26 });
const far = new CpuDevice({ bytes: 2 ** 26 });
afterAll(() => Promise.all([near.close(), far.close()]));

describe('parameters', () => {
  it('go to Muon where they are hidden matrices, all else to AdamW', () => {
    const names = (name: 'adamw' | 'muon') => parameters.map((each) => ruleOf(each, { name }).name);
    expect(names('muon')).toEqual(['adamw', 'muon', 'adamw', 'muon', 'adamw', 'muon']);
    expect(new Set(names('adamw'))).toEqual(new Set(['adamw']));
  });

  it('are in buckets by rule and decay, those first whose gradients are finished first', () => {
    const grouped = (name: 'adamw' | 'muon') =>
      bucketsOf(holdings, { name }).map(({ rule, decays, parameters: of }) => [rule?.name, decays, of]);
    expect(grouped('muon')).toEqual([
      ['adamw', false, [norm]],
      ['muon', true, [wide, tall, alsoWide]],
      ['adamw', true, [embedding, hiddenRow]],
    ]);
    expect(grouped('adamw')).toEqual([
      ['adamw', false, [norm]],
      ['adamw', true, [embedding, wide, tall, hiddenRow, alsoWide]],
    ]);
  });

  it('are stored with what their rule keeps of them', async () => {
    const held = { parameter: wide, learns: true };
    expect(storedNames(held, muon)).toEqual(['wide', 'wide.momentum']);
    expect(storedNames(held, { name: 'adamw' })).toEqual(['wide', 'wide.exp_avg', 'wide.exp_avg_sq']);
    expect(storedNames({ ...held, learns: false }, muon)).toEqual(['wide']);
    const { stored } = await holderOn(near);
    const expected = holdings.flatMap((each) => storedNames(each, muon).map((name) => [name, each.parameter.shape]));
    expect(Object.entries(stored()).map(([name, { shape }]) => [name, shape])).toHaveLength(expected.length);
    for (const [name, shape] of expected) expect(stored()[String(name)].shape).toEqual(shape);
  });
});

describe('three updates', () => {
  let updated: Readonly<Record<string, Float32Array>>;
  beforeAll(async () => {
    const holder = await holderOn(near);
    for (const step of steps) await holder.update(step);
    updated = await holder.read();
  });

  it.each([embedding, norm, hiddenRow])('are those of AdamW for $name', (each) => {
    for (const [state, expected] of Object.entries(plainAdamw(each)))
      expect(relativeError(updated[`${each.name}${state}`], Float32Array.from(expected))).toBeLessThan(1e-6);
  });

  it.each([wide, tall, alsoWide])('are those of Muon for $name', (each) => {
    for (const [state, expected] of Object.entries(plainMuon(each)))
      expect(relativeError(updated[`${each.name}${state}`], Float32Array.from(expected))).toBeLessThan(1e-5);
  });

  it('have the same bits in a replica elsewhere, and in one that goes on from what was stored', async () => {
    far.slice('before', 2 ** 20).tensor('x', 'f32', [1000]);
    const [replica, resumed] = [await holderOn(far), await holderOn(far)];
    for (const step of steps.slice(0, 2)) await replica.update(step);
    for (const [name, values] of Object.entries(await replica.read())) far.write(resumed.stored()[name], values);
    for (const holder of [replica, resumed]) {
      await holder.update(3);
      const read = await holder.read();
      expect(Object.keys(read)).toEqual(Object.keys(updated));
      for (const [name, values] of Object.entries(read))
        expect(bytesOf(values).equals(bytesOf(updated[name]))).toBe(true);
    }
  });
});

it('steps as far as AdamW does: the mean square of a step of Muon is that of a fifth of the learning rate', async () => {
  const holder = await holderOn(near);
  const before = await holder.read();
  await holder.update(1);
  const after = await holder.read();
  for (const { name } of [wide, tall]) {
    const square = after[name].reduce(
      (sum, value, i) => sum + (value - before[name][i] * (1 - lrOf(1) * decay)) ** 2,
      0,
    );
    const rms = Math.sqrt(square / after[name].length) / lrOf(1);
    expect(rms).toBeGreaterThan(0.2 * 0.65);
    expect(rms).toBeLessThan(0.2 * 1.25);
  }
});

it('matrices of one shape share a program', async () => {
  const { groups } = await holderOn(near);
  const ofMuon = (await near.executables()).filter(({ program }) => program.name === 'muon');
  expect(groups[1].plan.parameters).toHaveLength(3);
  expect(ofMuon).toHaveLength(2);
});
