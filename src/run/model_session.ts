/**
 * A model session has a found model in actors on one worker of this process, whatever mesh trained it, and asks it: for the logits
 * of what follows some tokens, and for how likely it holds given ones. One question is under way at a time.
 */
import { ARENA_LIMIT_BYTES } from '../kernels/arena.ts';
import { runSpecOf, type RunSpec } from '../actors/placement/run_spec.ts';
import { checkTopology, ConfigError, type Topology } from '../topology/index.ts';
import type { FoundModel } from './found_model.ts';
import { GivenBatches } from './given_batches.ts';
import { parametersOf } from './model_parameters.ts';
import { NextLogits } from './next_logits.ts';
import { Run } from './run.ts';
import { Scorer } from './scorer.ts';
import { begin } from './starting_point.ts';

/** The model makes no text: its objective has taken the place of the head for that. */
export class NoTextHead extends Error {
  readonly tag = 'NoTextHead';
  readonly exitCode = 2;
  constructor(path: string, objective: string) {
    super(
      `checkpoint ${path}: its model was trained on ${objective} and makes no text; give the checkpoint that it began from`,
    );
    this.name = 'NoTextHead';
  }
}

export class ModelSession {
  readonly run: Run;
  readonly topology: Topology;
  private readonly batches: GivenBatches;
  private readonly nextLogits: NextLogits;
  private readonly scorer: Scorer;
  private last: Promise<unknown> = Promise.resolve();

  private constructor(run: Run, runSpec: RunSpec, batches: GivenBatches) {
    this.run = run;
    this.topology = runSpec.topology;
    this.batches = batches;
    this.nextLogits = new NextLogits(run.cluster, runSpec.topology);
    this.scorer = new Scorer(run, runSpec, batches);
  }

  /**
   * Starts it, with sequences of `sequenceLength` tokens; default: as long as it was trained on. Throws `ConfigError`,
   * `NoTextHead`, `OutOfSliceMemory` and what reading its parameters throws.
   */
  static async start(found: FoundModel, sequenceLength?: number): Promise<ModelSession> {
    const { path, baseDir, vocabulary, sublayersDigest, gen, digest } = found;
    const topology = singleWorker(found, sequenceLength);
    const runSpec = await runSpecOf({ topology, baseDir, vocabulary, sublayersDigest });
    if (runSpec.single.logits === null) throw new NoTextHead(path, topology.objective.kind);
    const source = await found.source(parametersOf(runSpec));
    const batches = new GivenBatches(topology.training.sequence_length);
    const run = await Run.start({ runSpec, batches, gen: gen + 1, fresh: [] });
    try {
      await begin(run, { source, step: 0, digest, fresh: [], left: [] });
      return new ModelSession(run, runSpec, batches);
    } catch (error) {
      await run.stop();
      throw error;
    }
  }

  /** Logits [vocabulary] of what follows the ids. Throws `RunFailed`. */
  logitsAfter(ids: readonly number[]): Promise<Float32Array> {
    return this.inTurn(() => this.run.unlessFailed(this.nextLogits.after(ids)));
  }

  /** Log-probabilities of every token but the first, in nats, of each sequence of at most as many tokens as the session's. Throws `RunFailed`. */
  logProbs(sequences: readonly ArrayLike<number>[]): Promise<Float32Array[]> {
    return this.inTurn(async () => {
      const data = this.batches.give(sequences);
      const found: Float32Array[] = [];
      for await (const { microbatch, logProbs_R } of this.scorer.score(data)) {
        found[microbatch] = logProbs_R.slice(0, Math.max(0, sequences[microbatch].length - 1));
      }
      return found;
    });
  }

  stop(): Promise<void> {
    return this.run.stop();
  }

  private inTurn<T>(question: () => Promise<T>): Promise<T> {
    const answer = this.last.then(question);
    this.last = answer.catch(() => undefined);
    return answer;
  }
}

/** The model's topology with every rank on one worker and one sequence at a time. */
function singleWorker({ path, topology: trained }: FoundModel, sequenceLength?: number): Topology {
  const { parallelism, training, cluster } = trained;
  // One worker now has what all of them had; pages that nothing touches cost nothing.
  const bytes = cluster.nodes * cluster.workers_per_node * cluster.memory_per_worker;
  const memory = { memory_per_worker: Math.min(bytes, ARENA_LIMIT_BYTES) };
  // A model is bound to no device: what it was trained on may not be there, and the processor writes the same everywhere.
  const single = { ...cluster, workers_per_node: 1, device: 'cpu', ...memory };
  const mesh = { data_parallel: 1, pipeline_parallel: 1, expert_parallel: 1, micro_batches: 1 } as const;
  const topology: Topology = {
    ...trained,
    cluster: single,
    parallelism: { ...parallelism, ...mesh },
    training: { ...training, global_batch_size: 1, sequence_length: sequenceLength ?? training.sequence_length },
  };
  if (sequenceLength === undefined) return topology;
  const [wrong] = checkTopology(topology).filter(({ path: key }) => key.join('.') === 'training.sequence_length');
  if (wrong !== undefined) throw new ConfigError(path, 'training.sequence_length', wrong.text);
  return topology;
}
