/**
 * The logits of the next token, from a model that is in actors: the stages of one replica take the tokens so far as a pass and answer
 * with them.
 */
import { floats } from '../kernels/dtype.ts';
import type { Topology } from '../topology/index.ts';
import { stageAddress } from '../actors/placement/addresses.ts';
import { dataOf, payload, type Pass } from '../actors/protocol/pass.ts';
import { stageProtocol } from '../actors/protocol/stage.ts';
import { askedAgain } from './asked_again.ts';
import type { Cluster } from './cluster.ts';

/** How long one token may take. */
const patienceMs = 60_000;

export class NextLogits {
  private readonly cluster: Pick<Cluster, 'system' | 'settled'>;
  private readonly sequenceLength: number;
  private readonly pipelineRanks: number;
  private asked = 0;

  constructor(
    cluster: Pick<Cluster, 'system' | 'settled'>,
    { training, parallelism }: Pick<Topology, 'training' | 'parallelism'>,
  ) {
    this.cluster = cluster;
    this.sequenceLength = training.sequence_length;
    this.pipelineRanks = parallelism.pipeline_parallel;
  }

  /** Logits [vocabulary] of what follows the ids, of which the model sees the last of a sequence. */
  after(ids: readonly number[]): Promise<Float32Array> {
    // Each question is a pass of its own.
    const step = this.asked++;
    return askedAgain(this.cluster, () => this.ask(ids.slice(-this.sequenceLength), step));
  }

  private async ask(ids: readonly number[], step: number): Promise<Float32Array> {
    const tokens = new Int32Array(this.sequenceLength);
    tokens.set(ids);
    const prompt = { tokens: payload(tokens, [tokens.length]), position: ids.length - 1 };
    const stages = Array.from({ length: this.pipelineRanks }, (_, p) =>
      this.cluster.system.ref(stageProtocol, stageAddress(p, 0)),
    );
    const pass: Pass = { kind: 'decode', data: 'prompt', step };
    for (const stage of stages) stage.tell.open({ pass, microbatches: [0], prompt });
    const reports = await Promise.all(stages.map((stage) => stage.ask.finish(pass, { timeoutMs: patienceMs })));
    const logits = reports.at(-1)?.outputs.find(({ name }) => name === 'logits');
    if (logits === undefined) throw new Error('the last stage gave no logits');
    return floats('logits', dataOf(logits.tensor));
  }
}
