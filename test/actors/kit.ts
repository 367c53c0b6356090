/**
 * A small run for tests: a Switch model of a few thousand parameters, tokens from a hash, everything in one process
 * through the real codec, with schemas checked. A curve is what must be equal to the last bit.
 */
import { runSpecOf, type RunSpec } from '../../src/actors/placement/run_spec.ts';
import { Run } from '../../src/run/run.ts';
import { EventLog } from '../../src/actors/training/event_log.ts';
import { Checkpointer } from '../../src/actors/training/checkpointer.ts';
import { MemoryDecisionStore, type DecisionStore } from '../../src/actors/training/decision_store.ts';
import { checkpointerAddress, eventLogAddress, trainerAddress } from '../../src/actors/placement/addresses.ts';
import { eventLogProtocol, type LossScaleChange } from '../../src/actors/protocol/event_log.ts';
import { checkpointerProtocol, trainerProtocol } from '../../src/actors/protocol/trainer.ts';
import { heldOutName } from '../../src/topology/index.ts';
import { batchStreams } from '../../src/models/model.ts';
import type { BatchPort, Microbatch } from '../../src/actors/stage/batch_port.ts';
import { CheckpointStore, type Checkpoint, type Disk, type Json } from '../../src/checkpoints/index.ts';
import { identityOf } from '../../src/run/identity.ts';
import { restore } from '../../src/run/resume.ts';
import { hashU32 } from '../../src/data/index.ts';
import { HeapFramePool, type LocalSystemOptions } from '../../src/runtime/index.ts';
import type { StepMetrics } from '../../src/telemetry/index.ts';
import { microbatchSequencesOf, parseTopology, toPlain, type Topology } from '../../src/topology/index.ts';

export const vocabulary = 32;

const sizes =
  'hidden_size: 32, num_hidden_layers: 4, num_attention_heads: 2, intermediate_size: 64, max_position_embeddings: 16';

const sparse = `
model: { architecture: switch, ${sizes} }
moe: { num_experts: 4, top_k: 1, every_n_layers: 2, capacity_factor: 1.25, eval_capacity_factor: 2.0, z_loss_coef: 0.001 }
`;

const dense = `model: { architecture: transformer, ${sizes} }`;

const stateSpace =
  'model: { architecture: mamba, hidden_size: 20, num_hidden_layers: 4, state_size: 5, max_position_embeddings: 16 }';

const rest = `
name: small
training: { steps: 4, global_batch_size: 8, sequence_length: 16, seed: 3, eval_interval: 2, eval_sequences: 8 }
optimizer: { lr: 1.0e-2, min_lr: 1.0e-3, warmup_steps: 1 }
checkpoint: { interval: 0, keep: 3 }
cluster: { memory_per_worker: 64MiB }
data: { blend: [ { name: none, glob: "*.md" } ] }
`;

type Settings = Readonly<Record<string, unknown>>;

/** The small topology, with keys set as by `--set`. */
export const smallTopology = (settings: Settings = {}): Topology => topologyOf(sparse, settings);

/** The same without experts. */
export const denseTopology = (settings: Settings = {}): Topology => topologyOf(dense, settings);

/** Layers of Mamba, which has neither heads nor networks. */
export const mambaTopology = (settings: Settings = {}): Topology => topologyOf(stateSpace, settings);

function topologyOf(model: string, settings: Settings): Topology {
  const overrides = Object.entries(settings).map(([key, value]) => ({ path: key.split('.'), value, source: key }));
  return parseTopology(model + rest, 'small.yaml', overrides);
}

/** Settings of a run on two nodes of two workers that divides its batch, its experts and its layers. */
export const wide = {
  'parallelism.data_parallel': 2,
  'parallelism.expert_parallel': 2,
  'parallelism.pipeline_parallel': 2,
  'parallelism.micro_batches': 2,
  'cluster.nodes': 2,
  'cluster.workers_per_node': 2,
};

/** The run spec of a small run. */
export const drawn = (topology: Topology): Promise<RunSpec> =>
  runSpecOf({ topology, baseDir: process.cwd(), vocabulary: topology.model.vocab_size ?? vocabulary });

/** A microbatch of tokens and their successors, without padding. */
export const batchOf = (tokens_R: Int32Array, targets_R: Int32Array): Microbatch => ({
  tensors: { [batchStreams.tokens]: tokens_R, [batchStreams.targets]: targets_R },
  live_R: null,
  corpora: null,
  bytes_R: null,
});

/** Tokens of a language in which the next token mostly follows from the last two. */
export function hashedBatches(topology: Topology): BatchPort {
  const { sequence_length: T } = topology.training;
  const rows = microbatchSequencesOf(topology);
  return {
    weightOf: () => topology.training.global_batch_size * T,
    microbatch: ({ kind, step, microbatch }) => {
      const tokens = new Int32Array(rows * T);
      const targets = new Int32Array(rows * T);
      for (let row = 0; row < rows; row++) {
        const sequence =
          (kind === 'train' ? 1_000 + step * topology.training.global_batch_size : 0) + microbatch * rows + row;
        let token = hashU32(sequence, 1) % vocabulary;
        for (let t = 0; t < T; t++) {
          tokens[row * T + t] = token;
          const isNoise = hashU32(sequence, t, 2) % 8 === 0;
          token = isNoise ? hashU32(sequence, t, 3) % vocabulary : (token * 5 + 7) % vocabulary;
          targets[row * T + t] = token;
        }
      }
      return batchOf(tokens, targets);
    },
  };
}

export interface Played {
  /** What must not depend on arrival order, placement or interruption. */
  readonly curve: readonly Curve[];
  readonly digest: string;
  readonly evalLoss: number | null;
  readonly incidents: readonly Incident[];
  readonly scaleChanges: readonly LossScaleChange[];
  /** Frames of the codec still in use at the end. */
  readonly leasedFrames: number;
}

export interface Incident {
  readonly step: number;
  readonly remedy: string;
  readonly evidence: string;
}

export type Curve = Omit<
  StepMetrics,
  'tokens_per_second' | 'step_ms' | 'bytes_sent' | 'cpu_ms' | 'credit_wait_ms' | 'nodes' | 'workers' | 'tokens'
>;

export interface PlayOptions {
  readonly system?: LocalSystemOptions;
  readonly decisions?: DecisionStore;
  /** Writes a checkpoint here at the end of the run, and at the topology's interval. */
  readonly directory: string;
  readonly from?: Checkpoint;
  /** What checkpoints are written to; default: the file system. */
  readonly disk?: Disk;
  /** Checkpoints that stay; default: all. */
  readonly keep?: number;
  readonly onPruned?: (names: readonly string[]) => void;
  /** What a checkpoint does before it is complete. */
  readonly syncLogs?: () => void;
  /** Interrupts the run while it works on this step, from 1. */
  readonly stopAfter?: number;
  /** Default: `hashedBatches`. */
  readonly batches?: BatchPort;
  /** Called when the roles have their state, before the first step. */
  readonly tamper?: (run: Run) => Promise<void>;
  /** Incidents are written here too, where the run does not come to its end. */
  readonly incidents?: Incident[];
  /** Told of each step, with what depends on time and place. */
  readonly onStep?: (step: StepMetrics) => void;
}

/** Trains the topology to its end, or to that of the step `stopAfter`. */
export async function play(topology: Topology, options: PlayOptions): Promise<Played> {
  const { directory, from, stopAfter, decisions = new MemoryDecisionStore(), incidents = [] } = options;
  const { keep = 9, syncLogs = () => undefined, onPruned = () => undefined, onStep = () => undefined } = options;
  const runSpec = await drawn(topology);
  const pool = new HeapFramePool({ poison: true });
  const given = options.batches ?? hashedBatches(topology);
  const batches: BatchPort = {
    ...given,
    microbatch: (unit) => {
      if (unit.kind === 'train' && unit.step + 1 === stopAfter) {
        run.system.ref(trainerProtocol, trainerAddress).tell.interrupt();
      }
      return given.microbatch(unit);
    },
  };
  const run = await Run.start({
    runSpec,
    batches,
    gen: (from?.manifest.gen ?? 0) + 1,
    evaluations: [
      {
        name: heldOutName,
        microbatches: Math.ceil(topology.training.eval_sequences / microbatchSequencesOf(topology)),
      },
    ],
    decisions,
    system: { validate: 'always', pool, ...options.system },
  });
  try {
    const { system } = run;
    if (from !== undefined) await restore(system, from, run.holders);
    await options.tamper?.(run);
    const store = await CheckpointStore.forWriting(directory, options.disk);
    const fields = {
      runId: 'test',
      numericsClass: 'test',
      corpusDigest: 'test',
      model: identityOf(runSpec),
      topology: JSON.parse(JSON.stringify(toPlain(topology))) as Json,
    };
    system.spawn(
      checkpointerProtocol,
      checkpointerAddress,
      (scope) => new Checkpointer({ holders: () => run.holders, store, keep, fields, syncLogs, onPruned }, scope),
    );
    const curve: Curve[] = [];
    const scaleChanges: LossScaleChange[] = [];
    const observer = {
      step: (step: StepMetrics) => {
        onStep(step);
        const { tokens_per_second: _1, step_ms: _2, bytes_sent: _3, cpu_ms: _4, credit_wait_ms: _5, ...rest } = step;
        const { nodes: _6, workers: _7, tokens: _8, ...line } = rest;
        curve.push(line);
      },
      evaluated: () => undefined,
      checkpoint: () => undefined,
      lossScale: (change: LossScaleChange) => {
        scaleChanges.push(change);
      },
      unrecorded: (what: string) => {
        incidents.push({ step: 0, remedy: 'none', evidence: what });
      },
      incident: (step: number, remedy: string, evidence: string) => {
        incidents.push({ step, remedy, evidence });
      },
    };
    system.spawn(eventLogProtocol, eventLogAddress, () => new EventLog(observer));
    const trainer = system.ref(trainerProtocol, trainerAddress);
    const { step: firstStep = 0, updateStep = 0, lossScale } = from?.manifest ?? {};
    const scaled = lossScale === undefined ? {} : { lossScale };
    const start = { firstStep, updateStep, isNew: from === undefined, ...scaled };
    const { evalLoss } = await run.unlessFailed(trainer.ask.train(start, { timeoutMs: 60_000 }));
    const { manifest } = (await store.openNewestValid()).checkpoint;
    await system.idle();
    return { curve, digest: digestOf(manifest.extra), evalLoss, incidents, scaleChanges, leasedFrames: pool.leased };
  } finally {
    await run.stop();
  }
}

function digestOf(extra: unknown): string {
  if (
    typeof extra === 'object' &&
    extra !== null &&
    'params_digest' in extra &&
    typeof extra.params_digest === 'string'
  ) {
    return extra.params_digest;
  }
  throw new Error('the checkpoint holds no digest of its parameters');
}
