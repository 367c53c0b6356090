/** Dynamic loss scaling: what a step does to the scale, and a run that begins with far too large a one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryDecisionStore, type DecisionStore } from '../../../src/actors/training/decision_store.ts';
import { firstLossScale, lossScaleAfter, overflows } from '../../../src/actors/training/loss_scale.ts';
import { payload } from '../../../src/actors/protocol/pass.ts';
import type { Run } from '../../../src/run/run.ts';
import { CheckpointStore, type Checkpoint } from '../../../src/checkpoints/index.ts';
import { play, smallTopology, type Incident, type Played } from '../kit.ts';
import { rewrite } from '../rewrite.ts';

describe('the scale', () => {
  it('is halved by an overflow, and begins to count anew', () => {
    expect(lossScaleAfter({ scale: 1024, cleanSteps: 7 }, 'overflow', 2000)).toEqual({ scale: 512, cleanSteps: 0 });
    expect(lossScaleAfter({ scale: 1, cleanSteps: 0 }, 'overflow', 2000)).toEqual({ scale: 1, cleanSteps: 0 });
  });

  it('is doubled by as many clean steps as asked for, up to 2^24', () => {
    expect(lossScaleAfter({ scale: 8, cleanSteps: 0 }, 'commit', 3)).toEqual({ scale: 8, cleanSteps: 1 });
    expect(lossScaleAfter({ scale: 8, cleanSteps: 2 }, 'commit', 3)).toEqual({ scale: 16, cleanSteps: 0 });
    expect(lossScaleAfter({ scale: 2 ** 24, cleanSteps: 2 }, 'commit', 3)).toEqual({ scale: 2 ** 24, cleanSteps: 0 });
    expect(lossScaleAfter({ scale: 2 ** 30, cleanSteps: 2 }, 'commit', 3)).toEqual({ scale: 2 ** 30, cleanSteps: 0 });
  });

  it('is left as it is by a batch that the sentinel skips', () => {
    expect(lossScaleAfter({ scale: 8, cleanSteps: 2 }, 'skip', 3)).toEqual({ scale: 8, cleanSteps: 2 });
  });

  it('is there in fp16 only', () => {
    const scaleIn = (precision: string) => firstLossScale(smallTopology({ 'training.precision': precision }).training);
    expect(scaleIn('fp16')).toEqual({ scale: 65_536, cleanSteps: 0 });
    expect([scaleIn('bf16'), scaleIn('fp32')]).toEqual([null, null]);
  });

  it('is blamed for gradients without end, but not for a loss without end, nor where nothing is scaled up', () => {
    const [scaled, unscaled] = [2, 1].map((scale) => ({ scale, cleanSteps: 0 }));
    expect(overflows({ step: 0, loss: 2, gradNorm: Infinity }, scaled)).toBe(true);
    expect(overflows({ step: 0, loss: 2, gradNorm: NaN }, scaled)).toBe(true);
    expect(overflows({ step: 0, loss: 2, gradNorm: 1e9 }, scaled)).toBe(false);
    expect(overflows({ step: 0, loss: NaN, gradNorm: NaN }, scaled)).toBe(false);
    expect(overflows({ step: 0, loss: 2, gradNorm: NaN }, unscaled)).toBe(false);
  });
});

const root = mkdtempSync(join(tmpdir(), 'troupe-loss-scale-'));
let count = 0;
const directory = (): string => join(root, String(count++));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const settings = { 'parallelism.micro_batches': 2, 'training.precision': 'fp16', 'training.eval_interval': 0 };
const outcomeOf = ({ curve, digest, evalLoss }: Played) => ({ curve, digest, evalLoss });

describe('a run that begins with too large a scale', () => {
  const initial = 2 ** 26;
  const topology = smallTopology({
    ...settings,
    'training.steps': 12,
    'training.loss_scale.initial': initial,
    'training.loss_scale.growth_interval': 3,
  });
  const decisions = new MemoryDecisionStore();
  let played: Played;
  beforeAll(async () => {
    played = await play(topology, { directory: directory(), decisions });
  });
  const decided = () => Promise.all(Array.from({ length: 12 }, (_, step) => decisions.find(0, step)));

  it('passes over the steps that overflow, halves it each time, trains when it fits, and says so without an incident', async () => {
    const all = await decided();
    const skipped = all.findIndex((decision) => decision!.verdict === 'commit');
    expect(skipped).toBeGreaterThan(1);
    expect(skipped).toBeLessThan(9);
    expect(all.slice(0, skipped)).toMatchObject(
      Array.from({ length: skipped }, (_, i) => ({
        verdict: 'skip',
        overflowed: true,
        updateStep: 0,
        lossScale: { scale: initial / 2 ** (i + 1), cleanSteps: 0 },
      })),
    );
    expect(all[skipped]).toMatchObject({ updateStep: 1, lossScale: { scale: initial / 2 ** skipped, cleanSteps: 1 } });
    expect(played.incidents).toEqual([]);
    expect(played.scaleChanges.slice(0, skipped)).toEqual(
      Array.from({ length: skipped }, (_, i) => ({
        step: i + 1,
        from: initial / 2 ** i,
        to: initial / 2 ** (i + 1),
        reason: expect.stringMatching(/^gradient norm is (NaN|Infinity)$/) as unknown,
      })),
    );
    expect(played.curve[0]).toMatchObject({ step: skipped + 1, loss_scale: initial / 2 ** skipped });
    expect(played.curve.at(-1)!.loss).toBeLessThan(played.curve[0].loss);
  });

  it('is as one that is told to pass over the same steps, and begins with what fits', async () => {
    const given = new MemoryDecisionStore();
    for (const decision of await decided()) {
      if (decision!.verdict === 'commit') continue;
      const { overflowed: _, ...skip } = decision!;
      await given.decide(skip);
    }
    const replayed = await play(topology, { directory: directory(), decisions: given });
    expect(outcomeOf(replayed)).toEqual(outcomeOf(played));
  });

  it('has the parameters that it began with until a step counts', async () => {
    const where = directory();
    const hopeless = { ...settings, 'training.steps': 3, 'training.loss_scale.initial': 2 ** 50 };
    const { digest, curve } = await play(smallTopology(hopeless), { directory: where });
    const { extra, updateStep, lossScale } = (await checkpointOf(where, 0)).manifest;
    expect(curve).toEqual([]);
    expect(extra).toMatchObject({ params_digest: digest });
    expect({ updateStep, lossScale }).toEqual({ updateStep: 0, lossScale: { scale: 2 ** 50, cleanSteps: 0 } });
    expect((await checkpointOf(where, 3)).manifest).toMatchObject({
      updateStep: 0,
      lossScale: { scale: 2 ** 47, cleanSteps: 0 },
    });
  });

  it('goes on with the scale, and the count of clean steps, that it had', async () => {
    const where = directory();
    const first = await play(topology, { directory: where, stopAfter: played.curve[1].step });
    const from = await checkpointOf(where, played.curve[1].step);
    expect(from.manifest.lossScale).toMatchObject({ cleanSteps: 2 });
    const second = await play(topology, { directory: where, from });
    expect([...first.curve, ...second.curve]).toEqual(played.curve);
    expect(second.digest).toBe(played.digest);
  });
});

describe('a scale', () => {
  it.each([
    ['2 replicas', { data_parallel: 2, micro_batches: 1 }],
    ['a pipeline of 2 stages and 2 groups', { pipeline_parallel: 2, expert_parallel: 2, micro_batches: 2 }],
  ])('reaches every role alike: the bits of one rank with %s', async (_name, parallelism) => {
    const mesh = Object.entries(parallelism).map(([key, value]) => [`parallelism.${key}`, value] as const);
    const alone = await play(smallTopology(settings), { directory: directory() });
    const other = await play(smallTopology({ ...settings, ...Object.fromEntries(mesh) }), { directory: directory() });
    expect(outcomeOf(other)).toEqual(outcomeOf(alone));
  });

  it('changes little more than what f16 loses: all gradients are of one scale, those of the balance too', async () => {
    const normsAt = async (initial: number): Promise<number[]> => {
      const scaled = { ...settings, 'training.steps': 2, 'training.loss_scale.initial': initial };
      const { curve } = await play(smallTopology({ ...scaled, 'moe.aux_loss_coef': 10 }), { directory: directory() });
      return curve.map(({ grad_norm }) => grad_norm);
    };
    const [low, high] = [await normsAt(2 ** 6), await normsAt(2 ** 12)];
    low.forEach((norm, i) => expect(Math.abs(norm / high[i] - 1)).toBeLessThan(1e-3));
  });
});

/** Keeps the log of actors that are meant to fail off the screen. */
const logSink = (): void => undefined;
/** Makes every loss NaN. */
const poisoned = (run: Run): Promise<void> =>
  rewrite(run, 'run/stage-p0-d0', 'model.norm.weight', ({ data, shape }) => payload(data.fill(NaN), shape));

it('a loss that is no number stays an incident in fp16', async () => {
  const taken = new MemoryDecisionStore();
  const topology = smallTopology({ ...settings, 'training.loss_scale.initial': 2 ** 50 });
  const failing = play(topology, {
    directory: directory(),
    decisions: taken,
    tamper: poisoned,
    system: { logSink },
  });
  await expect(failing).rejects.toMatchObject({ tag: 'Unstable' });
  expect(await taken.find(0, 0)).toMatchObject({ verdict: 'skip', lossScale: { scale: 2 ** 50, cleanSteps: 0 } });
  expect(await taken.find(0, 0)).not.toHaveProperty('overflowed');
  expect(await taken.find(0, 1)).toBeNull();
});

describe('an overflow between two incidents', () => {
  const incident = { verdict: 'skip' } as const;
  const overflow = { verdict: 'skip', overflowed: true } as const;

  it.each([
    ['does not part them', [incident, overflow], [{ step: 3, remedy: 'stop' }]],
    [
      'is none itself',
      [overflow, overflow],
      [
        { step: 3, remedy: 'skip' },
        { step: 4, remedy: 'stop' },
      ],
    ],
  ])('%s, in one run or after a resume', async (_what, given, expected) => {
    const decisions = new MemoryDecisionStore();
    const lossScale = { scale: 1024, cleanSteps: 0 };
    for (const [step, skip] of given.entries()) {
      await decisions.decide({ gen: 1, timeline: 0, step, updateStep: 0, lr: 0, clip: 1, lossScale, ...skip });
    }
    const where = directory();
    await play(smallTopology({ ...settings, 'training.steps': 2 }), { directory: where, decisions, tamper: poisoned });
    for (const from of [undefined, await checkpointOf(where, 2)]) {
      const incidents: Incident[] = [];
      const failing = play(smallTopology(settings), {
        directory: directory(),
        decisions: await copyOf(decisions, 2),
        ...(from === undefined ? { tamper: poisoned } : { from }),
        incidents,
        system: { logSink },
      });
      await expect(failing).rejects.toMatchObject({ tag: 'Unstable' });
      expect(incidents).toMatchObject(expected);
    }
  });
});

const checkpointOf = (where: string, step: number): Promise<Checkpoint> => new CheckpointStore(where).open(step);

async function copyOf(decisions: DecisionStore, steps: number): Promise<DecisionStore> {
  const copy = new MemoryDecisionStore();
  for (let step = 0; step < steps; step++) await copy.decide((await decisions.find(0, step))!);
  return copy;
}
