/** Log-probabilities by a model in actors: one set of bits on any mesh, and those of a plain script; nothing grows with the data. */
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentAddress, recoveryAddress } from '../../src/actors/placement/addresses.ts';
import { castOf, holdersOf } from '../../src/actors/placement/cast.ts';
import { runSpecOf } from '../../src/actors/placement/run_spec.ts';
import { agentProtocol } from '../../src/actors/protocol/agent.ts';
import type { Unit } from '../../src/actors/protocol/pass.ts';
import { noBatches, type BatchPort } from '../../src/actors/stage/batch_port.ts';
import { CheckpointStore } from '../../src/checkpoints/index.ts';
import { loadTokenizer } from '../../src/data/index.ts';
import { batchStreams } from '../../src/models/model.ts';
import { initialValues } from '../../src/models/parameter.ts';
import { batchesOf } from '../../src/run/batch_source.ts';
import { packedData } from '../../src/run/corpora.ts';
import { restore } from '../../src/run/resume.ts';
import { Run } from '../../src/run/run.ts';
import { Scorer, type MicrobatchScores, type ScoredData } from '../../src/run/scorer.ts';
import { ask, defineProtocol, HeapFramePool, type LocalSystemOptions } from '../../src/runtime/index.ts';
import { FaultPlan } from '../../src/runtime/testing/index.ts';
import { capacityOf, heldOutName, type Topology } from '../../src/topology/index.ts';
import { denseTopology, drawn, hashedBatches, smallTopology as sparseTopology } from '../actors/kit.ts';
import { plainOf } from '../models/kit.ts';
import { decode, softmax } from '../models/plain_decoder.ts';
import { RunFolder, smallTopology } from './run_kit.ts';

const data: ScoredData = { data: 'some', microbatches: 6 };

interface Scored {
  readonly scores: readonly MicrobatchScores[];
  readonly leased: number;
}

/** Scores with a run of its own, of which `watch` hears each microbatch that a stage takes. */
async function score(
  topology: Topology,
  { system, watch }: { system?: LocalSystemOptions; watch?: (unit: Unit, run: Run) => void } = {},
): Promise<Scored> {
  const runSpec = await drawn(topology);
  const batches = hashedBatches(topology);
  const watched: BatchPort = {
    ...batches,
    microbatch: (unit) => {
      watch?.(unit, run);
      return batches.microbatch(unit);
    },
  };
  const pool = new HeapFramePool({ poison: true });
  const run = await Run.start({ runSpec, batches: watched, gen: 1, system: { validate: 'always', pool, ...system } });
  try {
    const scores: MicrobatchScores[] = [];
    for await (const each of new Scorer(run, runSpec, batches).score(data)) scores.push(each);
    await run.system.idle();
    return { scores, leased: pool.leased };
  } finally {
    await run.stop();
  }
}

const onMesh = (mesh: Readonly<Record<string, number>>): Topology =>
  sparseTopology(Object.fromEntries(Object.entries(mesh).map(([key, value]) => [`parallelism.${key}`, value])));

describe('scores', () => {
  let alone: Scored;
  beforeAll(async () => {
    alone = await score(onMesh({ micro_batches: 4 }));
  });

  it('are of every token, and of every sequence', () => {
    expect(alone.scores.map(({ microbatch }) => microbatch)).toEqual([0, 1, 2, 3, 4, 5]);
    for (const { logProbs_R, samples } of alone.scores) {
      expect(logProbs_R).toHaveLength(2 * 16);
      expect(logProbs_R.every((logProb) => logProb < 0)).toBe(true);
      expect(samples.map(({ firstRow, rows, tokens }) => [firstRow, rows, tokens])).toEqual([
        [0, 16, 16],
        [16, 16, 16],
      ]);
      expect(samples[1].logProb).toBe(logProbs_R.slice(16).reduce((sum, logProb) => sum + logProb, 0));
    }
    expect(alone.leased).toBe(0);
  });

  it.each([
    { data_parallel: 2, micro_batches: 2 },
    { data_parallel: 4, micro_batches: 1, expert_parallel: 4 },
    { pipeline_parallel: 2, micro_batches: 4 },
    { pipeline_parallel: 2, data_parallel: 2, expert_parallel: 2, micro_batches: 2 },
  ])('are the same bits with %j', async (mesh) => {
    expect(await score(onMesh(mesh))).toEqual(alone);
  });

  it('are the same bits with messages late and out of order', async () => {
    const often = { times: Infinity, probability: 0.25 };
    const filter = new FaultPlan(1, [
      { fault: { kind: 'reorder', ms: 1 }, ...often },
      { fault: { kind: 'delay', ms: 2 }, ...often },
    ]);
    const mesh = { pipeline_parallel: 2, data_parallel: 2, expert_parallel: 2, micro_batches: 2 };
    expect(await score(onMesh(mesh), { system: { filter } })).toEqual(alone);
    expect(filter.events.length).toBeGreaterThan(20);
  });

  it('are asked for again where the gen ends in between', async () => {
    const asking = defineProtocol('scorer_recovery', { go: ask({ fenced: false }) });
    let entered: Promise<unknown> | null = null;
    const scored = await score(onMesh({ data_parallel: 2, micro_batches: 2 }), {
      watch: ({ microbatch }, run) => {
        if (microbatch !== 3 || entered !== null) return;
        const recovery = run.system.spawn(asking, recoveryAddress, (scope) => ({
          go: async () => {
            await scope.ref(agentProtocol, agentAddress('node-0')).ask.enter({ gen: 2, assignment: null });
          },
        }));
        entered = recovery.ask.go();
        Object.defineProperty(run.cluster, 'settled', { value: () => entered });
      },
    });
    expect(entered).not.toBeNull();
    expect(scored).toEqual(alone);
  });
});

it.each([
  ['dense', denseTopology({ 'parallelism.micro_batches': 4 })],
  ['with experts', sparseTopology({ 'parallelism.micro_batches': 4, 'moe.dispatch_dtype': 'fp32' })],
])('are those of a plain script, of a model that is %s', async (_kind, topology) => {
  const { scores } = await score(topology);
  const { model, moe, training } = topology;
  const runSpec = await drawn(topology);
  const holdings = holdersOf(castOf(runSpec)).flatMap(({ share }) => share.holdings);
  const parameters = holdings.map(({ parameter }) => parameter);
  const values = Object.fromEntries(parameters.map((each) => [each.name, initialValues(each, training.seed)]));
  const shape = {
    layers: model.num_hidden_layers,
    heads: model.num_attention_heads,
    theta: model.rope_theta,
    epsilon: model.rms_norm_eps,
    sequence: 16,
    sparse: moe === undefined ? [] : [1, 3],
    rule: { experts: 4, topK: 1, capacity: moe === undefined ? 0 : capacityOf(moe, 32, false).slots },
  };
  for (const { microbatch, logProbs_R } of scores) {
    const { tensors } = hashedBatches(topology).microbatch({ kind: 'score', data: 'some', step: 0, microbatch });
    const targets = tensors[batchStreams.targets];
    const logits = decode(Array.from(tensors[batchStreams.tokens]), shape, plainOf(parameters, values));
    for (const [row, logit] of logits.entries()) {
      expect(logProbs_R[row]).toBeCloseTo(Math.log(softmax(logit)[targets[row]]), 5);
    }
  }
});

it('takes a slice at a time, however much there is to score', async () => {
  const topology = denseTopology({ 'parallelism.micro_batches': 8, 'model.num_hidden_layers': 1 });
  const runSpec = await drawn(topology);
  const batches = hashedBatches(topology);
  const taken: number[] = [];
  const watched: BatchPort = {
    ...batches,
    microbatch: (unit) => (taken.push(unit.microbatch), batches.microbatch(unit)),
  };
  const run = await Run.start({ runSpec, batches: watched, gen: 1 });
  try {
    const scores = new Scorer(run, runSpec, batches).score({ data: 'some', microbatches: 150 });
    const begun: number[] = [];
    for await (const { microbatch } of scores) begun[microbatch] = taken.length;
    expect(begun).toEqual(Array.from({ length: 150 }, (_, i) => Math.min(150, 64 * (1 + Math.floor(i / 64)))));
  } finally {
    await run.stop();
  }
});

it('refuses a model without a head for tokens', async () => {
  const runSpec = await drawn(
    denseTopology({ 'objective.kind': 'attributes', 'data.rows': 'rated.jsonl', 'data.blend': undefined }),
  );
  const run = await Run.start({ runSpec, batches: noBatches, gen: 1 });
  try {
    expect(() => new Scorer(run, runSpec, noBatches)).toThrow(
      'objective.kind attributes: its model has no head for tokens, so it cannot score any; score a language model',
    );
  } finally {
    await run.stop();
  }
});

describe('scores of what was held out', () => {
  const folder = new RunFolder();
  afterAll(() => folder[Symbol.dispose]());

  it.each([1, 2])('on %i workers add up to the loss that the trainer found', async (workers) => {
    const played = await folder.play({});
    const topology = smallTopology({ 'cluster.workers_per_node': workers, 'parallelism.pipeline_parallel': workers });
    const options = { topology, baseDir: folder.path, runDir: join(folder.path, basename(played.runDir)) };
    const tokenizer = loadTokenizer('bytes', folder.path);
    const signal = new AbortController().signal;
    const packed = await packedData({ ...options, signal, observe: () => undefined }, tokenizer);
    const runSpec = await runSpecOf({ topology, baseDir: folder.path, vocabulary: 256 });
    const batches = batchesOf(packed, topology);
    const run = await Run.start({ runSpec, batches: packed.source, gen: 9 });
    try {
      const store = new CheckpointStore(join(played.runDir, 'checkpoints'));
      await restore(run.system, (await store.openNewestValid()).checkpoint, run.holders);
      const [{ microbatches }] = batches.evaluations;
      let [sum, tokens] = [0, 0];
      for await (const { logProbs_R } of new Scorer(run, runSpec, batches).score({ data: heldOutName, microbatches })) {
        const known = logProbs_R.filter((logProb) => !Number.isNaN(logProb));
        sum += known.reduce((total, logProb) => total - logProb, 0);
        tokens += known.length;
      }
      expect(sum / tokens).toBe(played.outcome.evalLoss);
    } finally {
      await run.stop();
    }
  });
});
