/**
 * Training runs of the command in a folder of their own: a topology file, a few texts, and a look at what a run has left
 * behind.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

const yaml = `
name: tiny
model: { hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 32, max_position_embeddings: 16 }
moe: { num_experts: 2 }
parallelism: { data_parallel: 2, expert_parallel: 2 }
training: { steps: 12, global_batch_size: 4, sequence_length: 16, seed: 3, eval_interval: 4, eval_sequences: 6 }
optimizer: { lr: 1.0e-2, min_lr: 1.0e-3, warmup_steps: 1 }
checkpoint: { interval: 2, keep: 9 }
cluster: { memory_per_worker: 64MiB, nats: { url: none } }
data: { held_out: 0.2, blend: [ { name: notes, glob: 'texts/*.txt' }, { name: pages, glob: 'texts/*.md', weight: 0.5 } ] }
`;

export const text = (word: string): string =>
  Array.from({ length: 400 }, (_, i) => `${word} ${i} has square ${i * i} and rest ${(i * 7919) % 1000}\n`).join('');

export interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number | null;
}

/** Of the file that is run by now: it makes it, and removes it in the end. */
export const folder = mkdtempSync(join(tmpdir(), 'troupe-train-'));
export const at = (...path: string[]): string => join(folder, ...path);

export function troupe(args: readonly string[], nodeOptions: readonly string[] = []): Ended {
  const { stdout, stderr, status } = spawnSync(process.execPath, [...nodeOptions, main, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '' },
  });
  return { stdout, stderr, exitCode: status };
}

export const launch = (runDir: string, ...more: string[]): Ended =>
  troupe(['launch', 'tiny.yaml', '--run-dir', runDir, ...more]);

/** Fills the folder: the topology, its texts, and a folder that is none of ours. */
export function prepareFolder(): void {
  mkdirSync(at('texts'), { recursive: true });
  for (const [name, word] of [
    ['a.txt', 'line'],
    ['b.txt', 'row'],
    ['c.md', 'page'],
  ]) {
    writeFileSync(at('texts', name), text(word));
  }
  writeFileSync(at('tiny.yaml'), yaml);
  mkdirSync(at('letters'));
  writeFileSync(at('letters', 'dear.txt'), 'dear');
}

/** The curve of a run: what a metrics line says, but for how long it took. */
export function curveOf(runDir: string): Readonly<Record<string, unknown>>[] {
  const lines = readFileSync(at(runDir, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
  return lines.map((line) => {
    const metrics = JSON.parse(line) as Record<string, unknown>;
    return Object.fromEntries(
      Object.entries(metrics).filter(
        ([key]) => !['tokens_per_second', 'step_ms', 'bytes_sent', 'cpu_ms'].includes(key),
      ),
    );
  });
}

/** What is in `events.jsonl`. */
export function eventsOf(runDir: string): readonly Readonly<Record<string, unknown>>[] {
  const lines = readFileSync(at(runDir, 'events.jsonl'), 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

export const checkpointsOf = (runDir: string): string[] =>
  readdirSync(at(runDir, 'checkpoints'))
    .filter((name) => name.startsWith('step-'))
    .sort();

interface Manifest {
  readonly step: number;
  readonly updateStep: number;
  readonly runId: string;
  readonly extra: { readonly params_digest: string };
}

export const manifestOf = (runDir: string, checkpoint: string): Manifest =>
  JSON.parse(readFileSync(at(runDir, 'checkpoints', checkpoint, 'manifest.json'), 'utf8')) as Manifest;

/** Every file below a folder, with its content. */
export function contentsOf(path: string): Map<string, string> {
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' }).sort();
  const files = names.filter((name) => statSync(join(path, name)).isFile());
  return new Map(files.map((name) => [name, readFileSync(join(path, name), 'latin1')]));
}

/** Changes one byte in the middle of a shard of a checkpoint. */
export function damage(runDir: string, checkpoint: string): void {
  const path = at(runDir, 'checkpoints', checkpoint, 'run-stage-p0-d0.safetensors');
  const bytes = readFileSync(path);
  bytes[Math.floor(bytes.length / 2)] ^= 1;
  writeFileSync(path, bytes);
}

/** A copy of a finished run with the checkpoints of these steps only, as if it had died after the last of them. */
export function copyOf(run: string, name: string, ...steps: number[]): string {
  cpSync(at(run), at(name), { recursive: true });
  for (const checkpoint of checkpointsOf(name)) {
    if (!steps.some((step) => checkpoint.startsWith(`step-${String(step).padStart(6, '0')}.`))) {
      rmSync(at(name, 'checkpoints', checkpoint), { recursive: true });
    }
  }
  rmSync(at(name, 'checkpoints', 'latest.json'));
  return name;
}
