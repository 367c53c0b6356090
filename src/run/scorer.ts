/**
 * A scorer says how likely a model that is in actors holds the targets of some data: log-probabilities by token and by sample,
 * which are what a reference model, a multiple-choice task or a filter of texts needs. Microbatches are scored a slice at a time,
 * so that neither a message nor memory grows with the data.
 */
import { floats } from '../kernels/dtype.ts';
import type { RunSpec } from '../actors/placement/run_spec.ts';
import type { BatchPort } from '../actors/stage/batch_port.ts';
import { forwardPass } from '../actors/training/forward_pass.ts';
import { dataOf, type Pass } from '../actors/protocol/pass.ts';
import type { Output } from '../actors/protocol/report.ts';
import { askedAgain } from './asked_again.ts';
import type { Run } from './run.ts';
import { logProbsOf, sampleScores, type SampleScore } from './sample_scores.ts';

/** Data to score, as the batch port of the run has it. */
export interface ScoredData {
  readonly data: string;
  /** How many microbatches of it, from the first on. */
  readonly microbatches: number;
  /** The data step, where the batches depend on it; default: 0. */
  readonly step?: number;
}

export interface MicrobatchScores {
  readonly microbatch: number;
  /** f32 [R], in nats; NaN where a row has no target. */
  readonly logProbs_R: Float32Array;
  readonly samples: readonly SampleScore[];
}

/** The objective of the model has losses that are no log-probabilities of tokens. */
export class NoLogProbabilities extends Error {
  readonly tag = 'NoLogProbabilities';
  readonly exitCode = 2;
  constructor(kind: string) {
    super(`objective.kind ${kind}: its model has no head for tokens, so it cannot score any; score a language model`);
    this.name = 'NoLogProbabilities';
  }
}

/** What one slice is bounded by: losses that stages keep and one message has, 4 bytes a row. */
const mostMicrobatches = 64;
const mostRows = 2 ** 18;

/** How long a slice may take. */
const patienceMs = 15 * 60_000;

export class Scorer {
  private readonly run: Run;
  private readonly runSpec: RunSpec;
  private readonly batches: BatchPort;

  /**
   * Over a run that is started and trains no step meanwhile. `batches`: those of the run, which are pure, so that targets need not
   * travel. Throws `NoLogProbabilities`.
   */
  constructor(run: Run, runSpec: RunSpec, batches: BatchPort) {
    const { model, topology } = runSpec;
    if (model.logits === null) throw new NoLogProbabilities(topology.objective.kind);
    this.run = run;
    this.runSpec = runSpec;
    this.batches = batches;
  }

  /** Yields microbatches in their order. Throws `RunFailed`. */
  async *score({ data, microbatches, step = 0 }: ScoredData): AsyncGenerator<MicrobatchScores, void, void> {
    const { batch, sequence: T } = this.runSpec.model;
    const size = Math.max(1, Math.min(mostMicrobatches, Math.floor(mostRows / (batch * T))));
    const pass: Pass = { kind: 'score', data, step };
    for (let first = 0; first < microbatches; first += size) {
      const slice = Array.from({ length: Math.min(size, microbatches - first) }, (_, i) => first + i);
      const losses = await this.run.unlessFailed(this.lossesOf(pass, slice));
      for (const microbatch of slice) {
        const batch = this.batches.microbatch({ ...pass, microbatch });
        const losses_R = losses.get(microbatch);
        if (losses_R === undefined) throw new Error(`the last stage gave no losses of microbatch ${microbatch}`);
        const logProbs_R = logProbsOf(batch, losses_R);
        yield { microbatch, logProbs_R, samples: sampleScores(batch, logProbs_R, T) };
      }
    }
  }

  private async lossesOf(pass: Pass, microbatches: readonly number[]): Promise<Map<number, Float32Array>> {
    const { mesh, holders, cluster, system } = this.run;
    const wanted = { pass, microbatches, elements: true } as const;
    const { outputs } = await askedAgain(cluster, () => forwardPass(system, { mesh, holders }, wanted, patienceMs));
    return new Map(outputs.filter(({ name }) => name === 'losses').map(valuesOf));
  }
}

const valuesOf = ({ microbatch, tensor }: Output): [number, Float32Array] => [
  microbatch,
  floats('losses', dataOf(tensor)),
];
