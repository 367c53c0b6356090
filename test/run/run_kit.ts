/**
 * Whole runs for tests: a small model on words of a text that each test file makes in a folder of its own, and what must
 * be the same bits whatever the run lives on.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { train } from '../../src/run/train.ts';
import type { RunEvent, RunOutcome } from '../../src/run/run_port.ts';
import { CheckpointStore } from '../../src/checkpoints/index.ts';
import { hashU32 } from '../../src/data/index.ts';
import { parseTopology, type Topology } from '../../src/topology/index.ts';

const yaml = `
name: small
model: { hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 64, max_position_embeddings: 32 }
moe: { num_experts: 4 }
parallelism: { data_parallel: 2, expert_parallel: 2, micro_batches: 2 }
training: { steps: 4, global_batch_size: 8, sequence_length: 32, eval_interval: 2, eval_sequences: 8 }
optimizer: { lr: 1.0e-2, min_lr: 1.0e-3, warmup_steps: 1 }
checkpoint: { interval: 2 }
cluster: { memory_per_worker: 64MiB, nats: { url: none } }
data: { held_out: 0.2, blend: [ { name: words, glob: "*.txt" } ] }
`;

export type Settings = Readonly<Record<string, unknown>>;

/** The topology of the small run, with keys set as by `--set`. */
export function smallTopology(settings: Settings): Topology {
  const overrides = Object.entries(settings).map(([key, value]) => ({ path: key.split('.'), value, source: key }));
  return parseTopology(yaml, 'small.yaml', overrides);
}

type Line = Readonly<Record<string, unknown>>;

/** A run that has ended. */
export interface Played {
  readonly topology: Topology;
  readonly outcome: RunOutcome;
  /** Metrics lines, but for what depends on time and place. */
  readonly curve: readonly Line[];
  /** Of all parameters at the end. */
  readonly digest: unknown;
  readonly sample: string | null;
  readonly events: readonly RunEvent[];
  readonly runDir: string;
}

/** What placement, arrival and interruption may not change. */
export const bitsOf = ({ curve, digest, sample, outcome }: Played) => ({
  curve,
  digest,
  sample,
  evalLoss: outcome.evalLoss,
});

export interface PlayOptions {
  /** A directory of an earlier run to go on in. */
  readonly resume?: string;
  readonly signal?: AbortSignal;
  /** Called for each event as it goes by. */
  readonly watch?: (event: RunEvent) => void;
}

/** A folder with a corpus, in which runs are made. */
export class RunFolder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'troupe-runs-'));

  constructor() {
    const words = ['actor', 'expert', 'router', 'stage', 'token', 'slot', 'gate', 'loss'];
    const text = Array.from({ length: 20_000 }, (_, i) => words[hashU32(1, i) % words.length]).join(' ');
    writeFileSync(join(this.path, 'words.txt'), text);
  }

  /** Trains with keys set as by `--set`. */
  async play(settings: Settings, { resume, signal, watch }: PlayOptions = {}): Promise<Played> {
    const topology = smallTopology(settings);
    const runDir = resume ?? mkdtempSync(join(this.path, 'run-'));
    const events: RunEvent[] = [];
    const outcome = await train({
      topology,
      baseDir: this.path,
      runDir,
      resume: resume !== undefined,
      signal: signal ?? new AbortController().signal,
      observe: (event) => {
        events.push(event);
        watch?.(event);
      },
    });
    const { manifest } = (await new CheckpointStore(join(runDir, 'checkpoints')).openNewestValid()).checkpoint;
    const sample = events.find((event) => event.kind === 'sample');
    const ends = { digest: manifest.extra, sample: sample?.text ?? null, events, runDir };
    return { topology, outcome, curve: curveOf(runDir), ...ends };
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** What tokens chose in a run with `moe.record: routing`: lines of all its files, in no order of files. */
export function recordOf({ runDir }: Pick<Played, 'runDir'>): string[] {
  const folder = join(runDir, 'routing');
  const texts = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
  return texts.flatMap((text) => text.trimEnd().split('\n').slice(1)).sort();
}

/** What its workers compute on, as `events.jsonl` has it. */
export const devicesOf = (runDir: string): object[] => eventsOf(runDir, 'device');

/** The fields of all events of a kind. */
export function eventsOf(runDir: string, wanted: string): Record<string, unknown>[] {
  const lines = readFileSync(join(runDir, 'events.jsonl'), 'utf8').trimEnd().split('\n');
  const events = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return events.filter(({ kind }) => kind === wanted).map(({ time: _time, kind: _kind, ...fields }) => fields);
}

const ofTimeOrPlace = ['tokens_per_second', 'step_ms', 'bytes_sent', 'cpu_ms', 'credit_wait_ms', 'nodes', 'workers'];

function curveOf(runDir: string): Line[] {
  const lines = readFileSync(join(runDir, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
  return lines.map((line) => {
    const metrics = JSON.parse(line) as Record<string, unknown>;
    return Object.fromEntries(Object.entries(metrics).filter(([key]) => !ofTimeOrPlace.includes(key)));
  });
}
