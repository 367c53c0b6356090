/**
 * The player of a replay: it takes runs as JSON on standard input and plays them with the sources of the tree that this
 * file lies in. A tree from before there was a replay gets a copy of it, so it imports only what has long been there.
 */
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { launch, parseTopology, type RunEvent } from '../../src/index.ts';
import { FaultPlan } from '../../src/runtime/testing/index.ts';
import type { ReplayRun } from './runs.ts';

/** What a run came to, or why it could not be played. */
export type Played = { readonly name: string } & (
  | { readonly curve: readonly Line[]; readonly ends: Readonly<Record<string, unknown>>; readonly ms: number }
  | { readonly failure: string }
);
export type Line = Readonly<Record<string, unknown>>;

const yaml = (architecture: ReplayRun['architecture']): string => `
name: replay
model: { architecture: ${architecture}, hidden_size: 32, num_hidden_layers: 4, num_attention_heads: 2,
         intermediate_size: 64, max_position_embeddings: 32 }
${architecture === 'switch' ? 'moe: { num_experts: 4 }' : ''}
training: { steps: 6, global_batch_size: 8, sequence_length: 32, eval_interval: 3, eval_sequences: 8 }
optimizer: { lr: 1.0e-2, min_lr: 1.0e-3, warmup_steps: 1 }
checkpoint: { interval: 3 }
cluster: { memory_per_worker: 64MiB, nats: { url: none } }
data: { held_out: 0.2, blend: [ { name: words, glob: "*.txt" } ] }
`;

const ofTimeOrPlace = ['tokens_per_second', 'step_ms', 'bytes_sent', 'cpu_ms', 'credit_wait_ms', 'nodes', 'workers'];

async function main(folder: string): Promise<void> {
  const words = ['actor', 'expert', 'router', 'stage', 'token', 'slot', 'gate', 'loss'];
  let state = 1;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24;
  writeFileSync(join(folder, 'words.txt'), Array.from({ length: 20_000 }, () => words[next() % 8]).join(' '));
  const runs = JSON.parse(await text(process.stdin)) as readonly ReplayRun[];
  for (const run of runs) {
    const played = await playOne(run, folder);
    writeFileSync(join(folder, `${run.name}.json`), JSON.stringify(played));
    console.log(run.name);
  }
}

async function playOne(run: ReplayRun, folder: string): Promise<Played> {
  const start = performance.now();
  try {
    const found = await (run.shuffleSeed === undefined
      ? launched(run, folder)
      : shuffled(run, run.shuffleSeed, folder));
    return { name: run.name, ...found, ms: performance.now() - start };
  } catch (error) {
    return { name: run.name, failure: error instanceof Error ? error.message : String(error) };
  }
}

type Found = Pick<Extract<Played, { ms: number }>, 'curve' | 'ends'>;

async function launched({ name, architecture, settings, stopAfter }: ReplayRun, folder: string): Promise<Found> {
  const overrides = Object.entries(settings).map(([key, value]) => ({ path: key.split('.'), value, source: key }));
  const topology = parseTopology(yaml(architecture), 'replay.yaml', overrides);
  const runDir = mkdtempSync(join(folder, `${name}-`));
  const ends: Record<string, unknown> = {};
  const part = async (resume: boolean, until?: number): Promise<void> => {
    const stop = new AbortController();
    const observe = (event: RunEvent): void => {
      if (event.kind === 'sample') ends.sample = event.text;
      if (event.kind === 'step' && event.metrics.step === until) stop.abort();
    };
    ends.evalLoss = (
      await launch(topology, { baseDir: folder, runDir, resume, observe, signal: stop.signal })
    ).evalLoss;
  };
  if (stopAfter !== undefined) await part(false, stopAfter);
  await part(stopAfter !== undefined);
  const lines = readFileSync(join(runDir, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
  const curve = lines.map((line) => lineOf(JSON.parse(line) as Line));
  return { curve, ends: { ...ends, params_digest: digestOf(join(runDir, 'checkpoints')) } };
}

/** By the kit of this tree's own tests, which has a hold of the messages. */
async function shuffled({ name, settings }: ReplayRun, seed: number, folder: string): Promise<Found> {
  const { play, smallTopology } = await import('../actors/kit.ts');
  const often = { times: Infinity, probability: 0.25 };
  const filter = new FaultPlan(seed, [
    { fault: { kind: 'reorder', ms: 1 }, ...often },
    { fault: { kind: 'delay', ms: 2 }, ...often },
  ]);
  const directory = mkdtempSync(join(folder, `${name}-`));
  const { curve, digest, evalLoss } = await play(smallTopology(settings), { directory, system: { filter } });
  return { curve: curve.map((line) => lineOf({ ...line })), ends: { evalLoss, params_digest: digest } };
}

const lineOf = (line: Line): Line =>
  Object.fromEntries(Object.entries(line).filter(([key]) => !ofTimeOrPlace.includes(key)));

/** Of all parameters at the end, from the newest manifest. */
function digestOf(checkpoints: string): string {
  const steps = readdirSync(checkpoints).filter((name) => name.startsWith('step-'));
  const manifest = readFileSync(join(checkpoints, steps.sort().at(-1)!, 'manifest.json'), 'utf8');
  const digest = /"params_digest":\s*"([0-9a-f]+)"/.exec(manifest)?.[1];
  if (digest === undefined) throw new Error(`no params_digest in the manifest of ${checkpoints}`);
  return digest;
}

await main(process.argv[2]);
