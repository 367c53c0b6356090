/** Batches that give no number: skipped once and reported, and the end of the run when it happens twice in a row. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { batchStreams } from '../../src/models/model.ts';
import { CheckpointStore } from '../../src/checkpoints/index.ts';
import type { BatchPort } from '../../src/actors/stage/batch_port.ts';
import { MemoryDecisionStore } from '../../src/actors/training/decision_store.ts';
import { payload } from '../../src/actors/protocol/pass.ts';
import type { Run } from '../../src/run/run.ts';
import type { Topology } from '../../src/topology/index.ts';
import { denseTopology, hashedBatches, play, smallTopology, vocabulary, type Incident } from './kit.ts';
import { rewrite } from './rewrite.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-unstable-'));
let count = 0;
const directory = (): string => join(root, String(count++));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const settings = { 'parallelism.micro_batches': 4 };
/** Keeps the log of actors that are meant to fail off the screen. */
const logSink = (): void => undefined;

/** The one token whose embedding is made NaN: only batches that hold it give no number. */
const poison = vocabulary - 1;

/** Tokens as usual, but that the poisoned one is in the inputs of the given steps, and of no others. */
function poisonedBatches(topology: Topology, steps: readonly number[]): BatchPort {
  const usual = hashedBatches(topology);
  return {
    ...usual,
    microbatch: (unit) => {
      const batch = usual.microbatch(unit);
      const clean = batch.tensors[batchStreams.tokens].map((token) => (token === poison ? 0 : token));
      if (unit.kind === 'train' && unit.microbatch === 1 && steps.includes(unit.step)) clean[3] = poison;
      return { ...batch, tensors: { ...batch.tensors, [batchStreams.tokens]: clean } };
    },
  };
}

const poisonEmbedding = (run: Run): Promise<void> =>
  rewrite(run, 'run/stage-p0-d0', 'model.embed_tokens.weight', ({ data, shape }) => {
    data.fill(NaN, poison * shape[1], (poison + 1) * shape[1]);
    return payload(data, shape);
  });

describe.each([
  ['a dense model', denseTopology({ ...settings, 'training.steps': 5 })],
  ['a mixture', smallTopology({ ...settings, 'training.steps': 5 })],
])('a batch that gives no number, in %s,', (_model, topology) => {
  const evidence = 'loss is NaN, gradient norm is NaN';

  it('is skipped, changes nothing, and is reported with its evidence', async () => {
    const batches = poisonedBatches(topology, [1, 3]);
    const taken = new MemoryDecisionStore();
    const options = { directory: directory(), batches, tamper: poisonEmbedding, decisions: taken };
    const played = await play(topology, options);
    const decided = await Promise.all([0, 1, 2, 3, 4].map((step) => taken.find(0, step)));
    expect(decided.map((decision) => decision?.updateStep)).toEqual([1, 1, 2, 2, 3]);
    expect(played.incidents).toEqual([
      { step: 2, remedy: 'skip', evidence },
      { step: 4, remedy: 'skip', evidence },
    ]);
    expect(played.curve.map(({ step }) => step)).toEqual([1, 3, 5]);

    // The same steps skipped by decision, without poison.
    const decisions = new MemoryDecisionStore();
    for (const step of [1, 3]) {
      await decisions.decide({
        gen: 1,
        timeline: 0,
        step,
        verdict: 'skip',
        updateStep: (step + 1) / 2,
        lr: 0,
        clip: 1,
      });
    }
    const followed = await play(topology, {
      directory: directory(),
      batches: poisonedBatches(topology, []),
      decisions,
    });
    expect(played.curve).toEqual(followed.curve);
    expect(played.evalLoss).toBe(followed.evalLoss);
  });

  it('followed by another ends the run as unstable', async () => {
    const incidents: Incident[] = [];
    const batches = poisonedBatches(topology, [1, 2]);
    const options = { directory: directory(), batches, tamper: poisonEmbedding, incidents, system: { logSink } };
    await expect(play(topology, options)).rejects.toMatchObject({
      tag: 'Unstable',
      message: expect.stringMatching(
        new RegExp(`^step 3: ${evidence}, and skipping the batch before did not help; `),
      ) as unknown,
    });
    expect(incidents).toEqual([
      { step: 2, remedy: 'skip', evidence },
      { step: 3, remedy: 'stop', evidence },
    ]);
  });
});

describe('a batch of a loss far above those before it', () => {
  const limits = { 'recovery.sentinel.window': 8, 'recovery.sentinel.loss_spike': 1.5 };
  const topology = denseTopology({ ...settings, ...limits, 'training.steps': 14 });

  /** Batches as usual, but that in the given steps one token is said to follow all others. */
  function corruptedBatches(steps: readonly number[]): BatchPort {
    const usual = hashedBatches(topology);
    return {
      ...usual,
      microbatch: (unit) => {
        const batch = usual.microbatch(unit);
        if (unit.kind !== 'train' || !steps.includes(unit.step)) return batch;
        const targets = new Int32Array(batch.tensors[batchStreams.targets].length).fill(3);
        return { ...batch, tensors: { ...batch.tensors, [batchStreams.targets]: targets } };
      },
    };
  }

  it('is skipped where that is asked for, and after a resume is compared with the same steps', async () => {
    const undisturbed = await play(topology, { directory: directory(), batches: corruptedBatches([10]) });
    expect(undisturbed.incidents).toEqual([
      { step: 11, remedy: 'skip', evidence: expect.stringMatching(/^loss is .*, the median of 8 steps$/) as unknown },
    ]);
    expect(undisturbed.curve.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14]);

    const where = directory();
    const decisions = new MemoryDecisionStore();
    const options = { directory: where, batches: corruptedBatches([10]), decisions };
    const before = await play(topology, { ...options, stopAfter: 10 });
    const after = await play(topology, { ...options, from: await new CheckpointStore(where).open(10) });
    expect(after.incidents).toEqual(undisturbed.incidents);
    expect([...before.curve, ...after.curve]).toEqual(undisturbed.curve);
    expect(after.digest).toBe(undisturbed.digest);
  });

  it('ends the run as unstable where it comes twice in a row, and is trained on where nothing is asked for', async () => {
    const batches = corruptedBatches([10, 11]);
    const failing = play(topology, { directory: directory(), batches, system: { logSink } });
    await expect(failing).rejects.toMatchObject({ tag: 'Unstable' });
    const unasked = denseTopology({ ...settings, 'training.steps': 14 });
    const played = await play(unasked, { directory: directory(), batches });
    expect(played.incidents).toEqual([]);
    expect(played.curve).toHaveLength(14);
  });
});
