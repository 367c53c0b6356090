/**
 * The passes that a trainer has the roles of a run make: a training step, which all roles vote on and apply, and an
 * evaluation, which only stages know of. It opens, asks and gathers; what follows from the answers is the trainer's.
 */
import type { ActorScope, Ref } from '../../runtime/index.ts';
import { globalMicrobatch, type Mesh, type Topology } from '../../topology/index.ts';
import { stageAddress } from '../placement/addresses.ts';
import { stageProtocol } from '../protocol/stage.ts';
import { parametersProtocol, type Decision, type Vote } from '../protocol/parameters.ts';
import { meanLoss } from './step_summary.ts';

export interface PassesParts {
  readonly topology: Topology;
  readonly mesh: Mesh;
  /** Addresses of all that hold parameters, in the order of the cast. */
  readonly holders: readonly string[];
  /** Microbatches of the evaluation. */
  readonly evaluationMicrobatches: number;
}

type Role = Ref<typeof parametersProtocol> | Ref<typeof stageProtocol>;

export class Passes {
  private readonly parts: PassesParts;
  private readonly scope: ActorScope;
  private readonly patienceMs: number;

  constructor(parts: PassesParts, scope: ActorScope, patienceMs: number) {
    this.parts = parts;
    this.scope = scope;
    this.patienceMs = patienceMs;
  }

  /** Has all roles take a training step, as soon as they have applied the decisions before it, their losses multiplied by `lossScale` unless that is null; resolves to their votes. */
  train(step: number, lossScale: number | null): Promise<Vote[]> {
    const { mesh, topology } = this.parts;
    const { micro_batches } = topology.parallelism;
    const scaled = lossScale === null ? {} : { lossScale };
    this.scope.setParamsVersion(step);
    for (const { pipelineRank, dataRank } of mesh.stages) {
      const microbatches = Array.from({ length: micro_batches }, (_, i) =>
        globalMicrobatch(dataRank, micro_batches, i),
      );
      this.stage(pipelineRank, dataRank).tell.open({ mode: 'train', step, microbatches, prompt: null, ...scaled });
    }
    return Promise.all(this.roles().map((role) => this.prepare(role, 'train', step)));
  }

  /** Has all roles apply a decision. */
  async apply(decision: Decision): Promise<void> {
    await Promise.all(this.roles().map((role) => role.ask.apply(decision, { timeoutMs: this.patienceMs })));
  }

  /** Mean held-out loss in nats a token, at the evaluation's capacity factor and without noise; null without held-out text. */
  async evaluate(step: number): Promise<number | null> {
    const { mesh, evaluationMicrobatches, topology } = this.parts;
    if (evaluationMicrobatches === 0) return null;
    const all = Array.from({ length: evaluationMicrobatches }, (_, i) => i);
    this.scope.setParamsVersion(step);
    const stages = mesh.stages.map(({ pipelineRank, dataRank }) => {
      const microbatches = all.filter((i) => i % topology.parallelism.data_parallel === dataRank);
      const stage = this.stage(pipelineRank, dataRank);
      stage.tell.open({ mode: 'evaluate', step, microbatches, prompt: null });
      return stage;
    });
    const votes = await Promise.all(stages.map((stage) => this.prepare(stage, 'evaluate', step)));
    return meanLoss(votes.flatMap((vote) => vote.losses));
  }

  private prepare(role: Role, mode: 'train' | 'evaluate', step: number): Promise<Vote> {
    return role.ask.prepare({ mode, step }, { timeoutMs: this.patienceMs });
  }

  private roles(): Role[] {
    return this.parts.holders.map((address) => this.scope.ref(parametersProtocol, address));
  }

  private stage(pipelineRank: number, dataRank: number): Ref<typeof stageProtocol> {
    return this.scope.ref(stageProtocol, stageAddress(pipelineRank, dataRank));
  }
}
