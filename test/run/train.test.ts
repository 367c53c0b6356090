/** A run and its directory, without the command around it: what it takes up, what it refuses, and what it starts anew. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { train } from '../../src/run/train.ts';
import type { RunEvent, RunOutcome } from '../../src/run/run_port.ts';
import { CheckpointStore, readManifest } from '../../src/checkpoints/index.ts';
import { parseTopology } from '../../src/topology/index.ts';
import { forge } from '../checkpoints/scratch.ts';
import { eventsOf } from './run_kit.ts';

const yaml = `
name: tiny
model: { hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 32, max_position_embeddings: 16 }
moe: { num_experts: 2 }
training: { steps: 4, global_batch_size: 4, sequence_length: 16, seed: 3, eval_interval: 4, eval_sequences: 4 }
optimizer: { lr: 1.0e-2, warmup_steps: 1 }
checkpoint: { interval: 2, keep: 9 }
cluster: { memory_per_worker: 64MiB, nats: { url: none } }
data: { held_out: 0.2, blend: [ { name: notes, glob: '*.txt' } ] }
`;

let baseDir: string;
let runDir: string;
let count = 0;
const newRunDir = (): void => {
  runDir = join(baseDir, `run-${count++}`);
  mkdirSync(runDir);
};

/** The first run, undisturbed, and the folder that it left; those that resume begin with a copy of it. */
let first: Ran;
let finished: string;
beforeAll(async () => {
  baseDir = mkdtempSync(join(tmpdir(), 'troupe-run-'));
  const lines = Array.from({ length: 500 }, (_, i) => `line ${i} has square ${i * i}\n`);
  writeFileSync(join(baseDir, 'notes.txt'), lines.join(''));
  newRunDir();
  finished = runDir;
  first = await launch(false);
});
beforeEach(newRunDir);
afterAll(() => rmSync(baseDir, { recursive: true, force: true }));

const takeFinished = (): void => cpSync(finished, runDir, { recursive: true });

interface Ran {
  readonly outcome: RunOutcome;
  readonly events: readonly RunEvent[];
}

/** Runs in `runDir`; an interrupt comes as soon as an event of this kind goes by. */
async function launch(
  resume: boolean,
  { settings = {}, interruptAt }: { settings?: Readonly<Record<string, unknown>>; interruptAt?: RunEvent['kind'] } = {},
): Promise<Ran> {
  const overrides = Object.entries(settings).map(([key, value]) => ({ path: key.split('.'), value, source: key }));
  const controller = new AbortController();
  const events: RunEvent[] = [];
  const observe = (event: RunEvent): void => {
    events.push(event);
    if (event.kind === interruptAt) controller.abort();
  };
  const topology = parseTopology(yaml, 'tiny.yaml', overrides);
  const outcome = await train({ topology, baseDir, runDir, resume, signal: controller.signal, observe });
  return { outcome, events };
}

const written = ({ events }: Ran): string[] =>
  events.flatMap((event) => (event.kind === 'checkpoint' ? [event.path.slice(-14)] : []));
const steps = ({ events }: Ran): number[] =>
  events.flatMap((event) => (event.kind === 'step' ? [event.metrics.step] : []));
const store = (): CheckpointStore => new CheckpointStore(join(runDir, 'checkpoints'));

function damage(checkpoint: string): void {
  const path = join(runDir, 'checkpoints', checkpoint, 'run-stage-p0-d0.safetensors');
  const bytes = readFileSync(path);
  bytes[bytes.length - 1] ^= 0x80;
  writeFileSync(path, bytes);
}

const remove = (checkpoint: string): void => rmSync(join(runDir, 'checkpoints', checkpoint), { recursive: true });

describe('a run', () => {
  it('tells how it goes: phases, its size, steps, checkpoints, a sample', () => {
    const ran = first;
    expect(ran.outcome).toMatchObject({ status: 'done', step: 4, runDir: finished });
    expect(ran.events.filter(({ kind }) => kind === 'phase')).toEqual([
      { kind: 'phase', text: 'packing corpora' },
      { kind: 'phase', text: 'compiling programs' },
    ]);
    expect(ran.events).toContainEqual({
      kind: 'ready',
      parameters: 2 * 256 * 32 + 2 * 4 * 32 * 32 + 3 * 2 * 32 * 32 + 2 * 32 + 5 * 32,
      activeParameters: 2 * 256 * 32 + 2 * 4 * 32 * 32 + 2 * 2 * 32 * 32 + 2 * 32 + 5 * 32,
      tokensPerStep: 64,
      workers: 1,
      nodes: 1,
    });
    expect(steps(ran)).toEqual([1, 2, 3, 4]);
    expect(written(ran)).toEqual(['step-000000.g1', 'step-000002.g1', 'step-000004.g1']);
    expect(ran.events.at(-1)).toMatchObject({ kind: 'sample', prompt: 'The ' });
    const held = ran.outcome.order1Loss!;
    expect(held).toBeGreaterThan(0);
    expect(held).toBeLessThan(Math.log(256));
  });

  it('decides anew where one failed before its first step, whatever that one had decided', async () => {
    const stale = { gen: 1, step: 0, verdict: 'skip', updateStep: 0, lr: 9, clip: 1 };
    writeFileSync(join(runDir, 'decisions.jsonl'), `${JSON.stringify(stale)}\n`);
    expect(steps(await launch(false, { interruptAt: 'step' }))).toEqual([1, 2]);
  });

  it.each([
    ['while it packs ends without a checkpoint', 'phase', []],
    ['when it is ready ends with the checkpoint that it begins with', 'ready', [{ step: 0, gen: 1 }]],
  ] as const)('interrupted %s', async (_when, interruptAt, checkpoints) => {
    const ran = await launch(false, { interruptAt });
    expect(ran.outcome).toMatchObject({ status: 'interrupted', step: 0, evalLoss: null });
    expect(steps(ran)).toEqual([]);
    expect(await store().list()).toEqual(checkpoints);
  });

  it('interrupted in a step ends after it, with a checkpoint', async () => {
    // While the first step is written down the second is under way.
    const ran = await launch(false, { interruptAt: 'step', settings: { 'checkpoint.interval': 0 } });
    expect(ran.outcome).toMatchObject({ status: 'interrupted', step: 2 });
    expect(written(ran)).toEqual(['step-000000.g1', 'step-000002.g1']);
  });
});

describe('a resumed run', () => {
  it('writes checkpoints anew where those of its steps are damaged', async () => {
    takeFinished();
    remove('step-000004.g1');
    expect(written(await launch(true))).toEqual(['step-000004.g2']);
    damage('step-000004.g2');
    const ran = await launch(true);
    expect(ran.events).toContainEqual(
      expect.objectContaining({
        kind: 'notice',
        text: expect.stringMatching(/^damaged checkpoint: .*step-000004\.g2/) as unknown,
      }),
    );
    expect(eventsOf(runDir, 'refused')).toEqual([
      {
        path: join(runDir, 'checkpoints', 'step-000004.g2', 'run-stage-p0-d0.safetensors'),
        reason: expect.stringMatching(/^damaged checkpoint: .*step-000004\.g2/) as unknown,
      },
    ]);
    expect(steps(ran)).toEqual([3, 4]);
    expect(written(ran)).toEqual(['step-000004.g3']);
    expect((await store().openNewestValid()).checkpoint.name).toEqual({ step: 4, gen: 3 });
  });

  it('leaves alone what has almost the name of a checkpoint, and says so', async () => {
    takeFinished();
    const stranger = join(runDir, 'checkpoints', 'step-000002.g4294967295');
    mkdirSync(stranger);
    const ran = await launch(true, { settings: { 'training.steps': 5 } });
    expect(ran.events).toContainEqual({
      kind: 'notice',
      text: `${stranger}: not the name of a checkpoint; it is left as it is`,
    });
    expect(written(ran)).toEqual(['step-000005.g2']);
    expect(existsSync(stranger)).toBe(true);
  });

  it('names the steps whose lines of metrics were lost, and goes on to the same numbers', async () => {
    takeFinished();
    const path = join(runDir, 'metrics.jsonl');
    const [one, two] = readFileSync(path, 'utf8').split('\n');
    writeFileSync(path, `${one}\n${two}\n{"step":3,"lo`);
    const ran = await launch(true, { settings: { 'training.steps': 5 } });
    expect(ran.events).toContainEqual({
      kind: 'notice',
      text: 'metrics.jsonl has no line of steps 3 to 4: they were lost, and the run goes on to the same numbers without them',
    });
    expect(eventsOf(runDir, 'lost')).toEqual([{ steps: '3 to 4' }]);
    const logged = readFileSync(path, 'utf8').trimEnd().split('\n');
    expect(logged.map((line) => (JSON.parse(line) as { step: number }).step)).toEqual([1, 2, 5]);
    expect(eventsOf(finished, 'lost')).toEqual([]);
  });

  it('goes on to more steps than it was begun with', async () => {
    takeFinished();
    const ran = await launch(true, { settings: { 'training.steps': 6 } });
    expect(steps(ran)).toEqual([5, 6]);
    expect(ran.outcome).toMatchObject({ status: 'done', step: 6 });
  });

  it('that was done already is done, and writes nothing', async () => {
    takeFinished();
    const metrics = readFileSync(join(runDir, 'metrics.jsonl'), 'utf8');
    const ran = await launch(true);
    expect(ran.outcome).toMatchObject({ status: 'done', step: 4 });
    expect(written(ran)).toEqual([]);
    expect(readFileSync(join(runDir, 'metrics.jsonl'), 'utf8')).toBe(metrics);
  });

  it('is refused on what rounds otherwise, unless that is allowed', async () => {
    takeFinished();
    const folder = join(runDir, 'checkpoints', 'step-000004.g1');
    const { numericsClass: own } = await readManifest(folder);
    forge(folder, { numericsClass: 'abacus' });
    await expect(launch(true)).rejects.toMatchObject({
      tag: 'ResumeRefused',
      exitCode: 1,
      message:
        `checkpoint ${join(runDir, 'checkpoints', 'step-000004.g1')}: it was made on abacus, this is ${own}, ` +
        'which rounds otherwise; set cluster.device to what it was, or recovery.allow_class_change=true',
    });
    const settings = { 'training.steps': 5, 'recovery.allow_class_change': true };
    expect(steps(await launch(true, { settings }))).toEqual([5]);
  });

  it('begins again where it ended before its first checkpoint', async () => {
    expect(steps(await launch(true, { interruptAt: 'step' }))).toEqual([1, 2]);
  });
});
