/** A run that begins with another's parameters: what it takes of it, what it does not, and what it refuses. */
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runSpecOf, type RunSpec } from '../../src/actors/placement/run_spec.ts';
import { reportedBy } from '../../src/actors/placement/system_holders.ts';
import { agentAddress } from '../../src/actors/placement/addresses.ts';
import { agentProtocol } from '../../src/actors/protocol/agent.ts';
import { noBatches } from '../../src/actors/stage/batch_port.ts';
import { CheckpointStore, f32Tensor, readTensors, type Checkpoint } from '../../src/checkpoints/index.ts';
import { loadTokenizer } from '../../src/data/index.ts';
import { initialValues } from '../../src/models/parameter.ts';
import { launch } from '../../src/run/launch.ts';
import { Run } from '../../src/run/run.ts';
import { begin, startingPointOf, type StartingPoint } from '../../src/run/starting_point.ts';
import { parseTopology } from '../../src/topology/index.ts';
import { FIELDS, forge } from '../checkpoints/scratch.ts';
import { bitsOf, eventsOf, RunFolder, smallTopology, type Played, type Settings } from './run_kit.ts';

const folder = new RunFolder();
afterAll(() => folder[Symbol.dispose]());

const newestOf = async (runDir: string): Promise<Checkpoint> =>
  (await new CheckpointStore(join(runDir, 'checkpoints')).openNewestValid()).checkpoint;
const firstOf = (runDir: string): Promise<Checkpoint> => new CheckpointStore(join(runDir, 'checkpoints')).open(0);

async function valuesOf(checkpoint: Checkpoint, name: string): Promise<Float32Array> {
  for await (const { data } of readTensors(checkpoint, [name])) return new Float32Array(data.slice().buffer);
  throw new Error('nothing was read');
}

/** The run that others begin with. */
let source: Played;
let sourceEnd: Checkpoint;
/** As a path in a topology file. */
let from: Settings;
beforeAll(async () => {
  source = await folder.play({});
  sourceEnd = await newestOf(source.runDir);
  from = { from: basename(source.runDir) };
});

const noticesOf = ({ events }: Played): string[] =>
  events.flatMap((event) => (event.kind === 'notice' ? event.text : []));

describe('a run that begins with the parameters of another', () => {
  let alone: Played;
  beforeAll(async () => {
    alone = await folder.play(from);
  });

  it('has them at step 0, and nothing else of that run', async () => {
    const { manifest, ...first } = await firstOf(alone.runDir);
    expect(manifest).toMatchObject({ step: 0, updateStep: 0, gen: 1 });
    expect(manifest.runId).not.toBe(sourceEnd.manifest.runId);
    expect(manifest.extra).toMatchObject({ params_digest: (source.digest as { params_digest: string }).params_digest });
    for (const state of ['exp_avg', 'exp_avg_sq']) {
      const name = `model.layers.1.mlp.experts.2.up_proj.weight.${state}`;
      expect(new Set(await valuesOf({ manifest, ...first }, name))).toEqual(new Set([0]));
      expect(new Set(await valuesOf(sourceEnd, name)).size).toBeGreaterThan(1);
    }
    expect(alone.curve.map((line) => ('step' in line ? line.step : null))).toEqual([1, 2, 3, 4]);
    expect(alone.curve).not.toEqual(source.curve);
  });

  it('says so, on the screen and in events.jsonl', () => {
    const { params_digest: digest } = source.digest as { params_digest: string };
    expect(eventsOf(alone.runDir, 'started_from')).toEqual([{ path: sourceEnd.path, step: 4, digest }]);
    expect(noticesOf(alone)).toEqual([`begins with the parameters of step 4 of ${sourceEnd.path}`]);
    expect(eventsOf(source.runDir, 'started_from')).toEqual([]);
  });

  it.each<[string, Settings]>([
    ['on 2 workers', { 'cluster.workers_per_node': 2 }],
    ['on 3 workers, as a pipeline of 2', { 'cluster.workers_per_node': 3, 'parallelism.pipeline_parallel': 2 }],
    [
      'as one replica, experts in one group',
      { 'parallelism.data_parallel': 1, 'parallelism.micro_batches': 4, 'parallelism.expert_parallel': 1 },
    ],
  ])('has the same bits %s', async (_, settings) => {
    expect(bitsOf(await folder.play({ ...from, ...settings }))).toEqual(bitsOf(alone));
  });

  it('has the loss of that run on held-out text where its learning rate moves nothing', async () => {
    const still = await folder.play({ ...from, 'optimizer.lr': 1e-30, 'optimizer.min_lr': 1e-30 });
    expect(still.outcome.evalLoss).toBe(source.outcome.evalLoss);
  });

  it('goes on from its own checkpoint, also where the other run is gone', async () => {
    const copy = mkdtempSync(join(folder.path, 'source-'));
    cpSync(source.runDir, copy, { recursive: true });
    const settings = { from: basename(copy), 'checkpoint.interval': 2 };
    const interrupt = new AbortController();
    const { runDir } = await folder.play(settings, {
      signal: interrupt.signal,
      watch: (event) => {
        if (event.kind === 'step' && event.metrics.step === 2) interrupt.abort();
      },
    });
    rmSync(copy, { recursive: true });
    const resumed = await folder.play(settings, { resume: runDir });
    expect(bitsOf(resumed)).toEqual(bitsOf(alone));
    expect(eventsOf(runDir, 'started_from')).toHaveLength(1);
  });

  it('begins with the checkpoint that is named, and keeps the path in its config as seen from there', async () => {
    const runDir = join(folder.path, 'launched');
    const path = join(basename(source.runDir), 'checkpoints', 'step-000002.g1');
    const topology = smallTopology({ from: path, 'training.steps': 2 });
    await launch(topology, { baseDir: folder.path, runDir });
    const there = join(folder.path, path);
    const config = parseTopology(readFileSync(join(runDir, 'config.yaml'), 'utf8'), 'config.yaml', []);
    expect(config.from).toBe(relative(runDir, there));
    expect(eventsOf(runDir, 'started_from')).toMatchObject([{ path: there, step: 2 }]);
    await expect(launch({ ...topology, from: 'nowhere' }, { baseDir: folder.path })).rejects.toMatchObject({
      tag: 'NoCheckpoint',
      exitCode: 2,
    });
  });
});

/** What a run with these settings would begin with, and what it says of it. */
async function startOf(
  settings: Settings,
  vocabulary = 256,
): Promise<{ runSpec: RunSpec; start: StartingPoint | null; said: string[] }> {
  const topology = smallTopology(settings);
  const runSpec = await runSpecOf({ topology, baseDir: folder.path, vocabulary });
  const said: string[] = [];
  const tokenizer = loadTokenizer('bytes', folder.path);
  return { runSpec, said, start: await startingPointOf(runSpec, tokenizer, (text) => void said.push(text)) };
}

describe('a model with another head', () => {
  it('begins with all but the head, which is as in a new model, and names both', async () => {
    const settings = {
      ...from,
      'objective.kind': 'attributes',
      'data.rows': 'rated.jsonl',
      'data.blend': undefined,
      'parallelism.pipeline_parallel': 2,
    };
    const { runSpec, start, said } = await startOf(settings);
    expect(said.slice(1)).toEqual([
      `${sourceEnd.path} does not have score.weight, score.bias: as in a new model`,
      `this model does not have lm_head.weight of ${sourceEnd.path}: left out`,
    ]);
    const run = await Run.start({ runSpec, batches: noBatches, gen: 1, fresh: start!.fresh });
    try {
      await begin(run, start!);
      for (const { system, holders } of run.holders) {
        const digests = await run.system.ref(agentProtocol, agentAddress(system)).ask.digest();
        for (const [i, { parameter }] of holders.flatMap(reportedBy).entries()) {
          const isNew = parameter.name.startsWith('score.');
          const values = isNew ? initialValues(parameter, 1) : await valuesOf(sourceEnd, parameter.name);
          expect([parameter.name, digests[i]]).toEqual([
            parameter.name,
            createHash('sha256').update(values).digest('hex'),
          ]);
        }
      }
    } finally {
      await run.stop();
    }
  });
});

describe('a model that does not fit is refused in one line', () => {
  it.each<[string, Settings, string]>([
    [
      'of another width',
      { 'model.intermediate_size': [64, 128] },
      "its model.layers.1.mlp.experts.0.up_proj.weight has shape [64, 32], and this model's has [128, 32]; give model and moe the sizes that it was trained with",
    ],
    [
      'of another hidden size',
      { 'model.hidden_size': 64 },
      "its model.embed_tokens.weight has shape [256, 32], and this model's has [256, 64]; give model and moe the sizes that it was trained with",
    ],
  ])('%s', async (_, settings, line) => {
    await expect(startOf({ ...from, ...settings })).rejects.toMatchObject({
      tag: 'SourceRefused',
      exitCode: 2,
      message: `from ${sourceEnd.path}: ${line}`,
    });
  });

  it('of another vocabulary', async () => {
    await expect(startOf(from, 320)).rejects.toMatchObject({
      tag: 'SourceRefused',
      message: `from ${sourceEnd.path}: its vocabulary has 256 rows, and this model's has 320; set model.vocab_size to 256, or data.tokenizer to the one that it was trained with`,
    });
  });

  it('of version 0.1 too, which does not say its vocabulary', async () => {
    const copy = mkdtempSync(join(folder.path, 'old-'));
    cpSync(source.runDir, copy, { recursive: true });
    const { path } = await newestOf(copy);
    forge(path, { model: {} });
    await expect(startOf({ from: basename(copy) }, 320)).rejects.toThrow('has shape [256, 32]');
    expect((await startOf({ from: basename(copy) })).start).toMatchObject({ fresh: [], left: [] });
  });

  it('of another kind', async () => {
    const strange = mkdtempSync(join(folder.path, 'strange-'));
    const writer = await (await CheckpointStore.forWriting(strange)).begin(1, 1);
    await writer.shard('all', [f32Tensor('encoder.weight', [1], Float32Array.of(1))]);
    await writer.commit(FIELDS);
    await expect(startOf({ from: basename(strange) })).rejects.toMatchObject({
      tag: 'SourceRefused',
      message: `from ${writer.path}: it has no parameter of this model; name a model of the same architecture`,
    });
  });
});

it('says where the ids may mean something else', async () => {
  const copy = mkdtempSync(join(folder.path, 'words-'));
  cpSync(source.runDir, copy, { recursive: true });
  const { path, manifest } = await newestOf(copy);
  expect(manifest.model).toMatchObject({ tokenizer: loadTokenizer('bytes', folder.path).identity });
  forge(path, { model: { vocabulary: 256, tokenizer: 'words' } });
  const { said } = await startOf({ from: basename(copy) });
  expect(said.slice(1)).toEqual([
    `${path} was trained with another tokenizer, or without the tokens of chats: what its ids mean otherwise is learnt anew`,
  ]);
});
