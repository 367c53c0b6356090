/**
 * A short run of a model of many small experts in one layer, whose threads count the messages they are given
 * (`control_probe.ts`), and what those counts come to: messages by kind, and which of them came from another system.
 * What a step or a checkpoint takes is the difference of two runs of which one makes more of it.
 */
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { countedRouteSchema } from './counted_route.ts';

export interface Layout {
  readonly nodes: number;
  readonly workers: number;
}

export interface RunLength {
  readonly steps: number;
  /** Steps from checkpoint to checkpoint; 0 for none but the first and the last. */
  readonly checkpointInterval: number;
}

/** Messages of a kind. */
export interface Messages {
  readonly all: number;
  /** Of these, from another system: another thread, or another node. */
  readonly betweenSystems: number;
}

export interface Counted {
  /** Systems that were given messages: threads of nodes, and the launcher. */
  readonly systems: number;
  /** Messages of the control lane by kind and name, such as `ask prepare`. */
  readonly control: ReadonlyMap<string, Messages>;
  /** Of the last checkpoint. */
  readonly files: number;
  readonly bytes: number;
}

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const model = {
  'model.hidden_size': 16,
  'model.intermediate_size': 16,
  'model.num_hidden_layers': 2,
  'model.num_attention_heads': 1,
  'model.max_position_embeddings': 64,
  'training.sequence_length': 64,
  'training.global_batch_size': 8,
  'training.eval_interval': 0,
  'optimizer.warmup_steps': 0,
  'cluster.nats.url': 'auto',
};

/** Trains with `experts` experts, all in one layer. Rejects if the run fails. */
export async function countRun(experts: number, { nodes, workers }: Layout, length: RunLength): Promise<Counted> {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-control-'));
  try {
    const [node, counts, runDir] = ['node', 'counts', 'run'].map((name) => join(folder, name));
    mkdirSync(counts);
    writeFileSync(
      node,
      `#!/bin/sh\nexec "${process.execPath}" --import "${import.meta.resolve('./control_probe.ts')}" "$@"\n`,
    );
    chmodSync(node, 0o755);
    const settings = {
      ...model,
      'moe.num_experts': experts,
      'training.steps': length.steps,
      'checkpoint.interval': length.checkpointInterval,
      'cluster.nodes': nodes,
      'cluster.workers_per_node': workers,
    };
    const sets = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
    const args = [at('../src/cli/main.ts'), 'launch', at('../configs/quickstart.yaml'), '--quiet', '--run-dir', runDir];
    const env = { ...process.env, TROUPE_PROBED_NODE: node, TROUPE_PROBED_COUNTS: counts };
    const child = spawn(node, [...args, ...sets], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    if (code !== 0) throw new Error(`${sets.join(' ')}: the run ended with ${code ?? 'a signal'}`);
    const counted = countedIn(counts);
    const systems = 1 + nodes * (1 + workers);
    if (counted.systems !== systems)
      throw new Error(`${counted.systems} of ${systems} systems wrote down what they counted`);
    return { ...counted, ...newestCheckpoint(join(runDir, 'checkpoints')) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function countedIn(folder: string): Pick<Counted, 'systems' | 'control'> {
  const routes = readdirSync(folder).flatMap((name) =>
    z.array(countedRouteSchema).parse(JSON.parse(readFileSync(join(folder, name), 'utf8'))),
  );
  // Where an actor lives is where it is given messages.
  const homes = new Map<string, string>(routes.map(({ to, system }) => [to, system]));
  const control = new Map<string, Messages>();
  for (const { lane, kind, message, from, system, count } of routes) {
    if (lane !== 'control') continue;
    const home = from.startsWith('@') ? from : homes.get(from);
    if (home === undefined)
      throw new Error(`${from}: sends ${message}, and was given nothing that says where it lives`);
    const { all, betweenSystems } = control.get(`${kind} ${message}`) ?? { all: 0, betweenSystems: 0 };
    const passed = home === system ? 0 : count;
    control.set(`${kind} ${message}`, { all: all + count, betweenSystems: betweenSystems + passed });
  }
  return { systems: new Set(routes.map(({ system }) => system)).size, control };
}

function newestCheckpoint(folder: string): Pick<Counted, 'files' | 'bytes'> {
  const names = readdirSync(folder).filter((name) => statSync(join(folder, name)).isDirectory());
  const newest = join(folder, names.sort().at(-1) ?? '');
  const files = readdirSync(newest).map((name) => join(newest, name));
  return { files: files.length, bytes: files.reduce((sum, file) => sum + statSync(file).size, 0) };
}
