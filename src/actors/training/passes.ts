/**
 * Passes are what a trainer has the roles of a run make: a training step, which all vote on and apply, and an evaluation,
 * which only stages know of. It opens the stages, asks the agents of the systems, and gathers; what follows from the answers
 * is the trainer's.
 */
import type { ActorScope, Ref } from '../../runtime/index.ts';
import { globalMicrobatch, type Mesh, type StageRank, type Topology } from '../../topology/index.ts';
import { agentAddress, stageAddress } from '../placement/addresses.ts';
import type { Holder } from '../placement/cast_entry.ts';
import { votedBy, type SystemHolders } from '../placement/system_holders.ts';
import { agentProtocol, type SystemReport, type SystemVote } from '../protocol/agent.ts';
import { stageProtocol } from '../protocol/stage.ts';
import type { Decision } from '../protocol/parameters.ts';
import { meanLoss, type StepVote } from './step_summary.ts';

export interface PassesParts {
  readonly topology: Topology;
  readonly mesh: Mesh;
  /** Every system of the run; each has an agent. */
  readonly systems: readonly string[];
  /** Those that hold parameters, by system. */
  readonly holders: readonly SystemHolders[];
  /** Microbatches of the evaluation. */
  readonly evaluationMicrobatches: number;
}

export class Passes {
  private readonly parts: PassesParts;
  private readonly scope: ActorScope;
  private readonly patienceMs: number;
  /** What the sums of squares that a system votes are of, by the order of names. */
  private readonly squares: ReadonlyMap<string, readonly SquareOf[]>;

  constructor(parts: PassesParts, scope: ActorScope, patienceMs: number) {
    this.parts = parts;
    this.scope = scope;
    this.patienceMs = patienceMs;
    this.squares = new Map(parts.holders.map(({ system, holders }) => [system, squaresOf(holders)]));
  }

  /**
   * Has all roles take a training step as soon as they have applied the decisions before it, their losses multiplied by
   * `lossScale` unless that is null. Resolves to their votes, one a system.
   */
  train(step: number, lossScale: number | null): Promise<StepVote[]> {
    const { mesh, topology, holders } = this.parts;
    const { micro_batches } = topology.parallelism;
    const scaled = lossScale === null ? {} : { lossScale };
    this.scope.setParamsVersion(step);
    for (const rank of mesh.stages) {
      const microbatches = Array.from({ length: micro_batches }, (_, i) =>
        globalMicrobatch(rank.dataRank, micro_batches, i),
      );
      this.stage(rank).tell.open({ mode: 'train', step, microbatches, prompt: null, ...scaled });
    }
    return Promise.all(
      holders.map(async ({ system }) => {
        const vote = await this.vote(system, { mode: 'train', step, of: null });
        return { ...vote, squares: named(this.squares.get(system)!, vote.squares) };
      }),
    );
  }

  /** Has all roles apply a decision. Resolves to what every system has counted by then. */
  apply(decision: Decision): Promise<SystemReport[]> {
    return Promise.all(
      this.parts.systems.map((system) => this.agent(system).ask.apply(decision, { timeoutMs: this.patienceMs })),
    );
  }

  /** Mean held-out loss in nats a token, at the evaluation's capacity factor and without noise; null without held-out text. */
  async evaluate(step: number): Promise<number | null> {
    const { mesh, evaluationMicrobatches, topology, holders } = this.parts;
    if (evaluationMicrobatches === 0) return null;
    const all = Array.from({ length: evaluationMicrobatches }, (_, i) => i);
    this.scope.setParamsVersion(step);
    for (const rank of mesh.stages) {
      const microbatches = all.filter((i) => i % topology.parallelism.data_parallel === rank.dataRank);
      this.stage(rank).tell.open({ mode: 'evaluate', step, microbatches, prompt: null });
    }
    const stages = new Set(mesh.stages.map(({ pipelineRank, dataRank }) => stageAddress(pipelineRank, dataRank)));
    const votes = await Promise.all(
      holders.flatMap((each) => {
        const of = each.holders.flatMap(({ address }) => (stages.has(address) ? [address] : []));
        return of.length === 0 ? [] : [this.vote(each.system, { mode: 'evaluate', step, of })];
      }),
    );
    return meanLoss(votes.flatMap((vote) => vote.losses));
  }

  private vote(
    system: string,
    asked: { readonly mode: 'train' | 'evaluate'; readonly step: number; readonly of: string[] | null },
  ): Promise<SystemVote> {
    return this.agent(system).ask.vote(asked, { timeoutMs: this.patienceMs });
  }

  private agent(system: string): Ref<typeof agentProtocol> {
    return this.scope.ref(agentProtocol, agentAddress(system));
  }

  private stage({ pipelineRank, dataRank }: StageRank): Ref<typeof stageProtocol> {
    return this.scope.ref(stageProtocol, stageAddress(pipelineRank, dataRank));
  }
}

/** A tensor whose sum of squares is at a place of a system's vote. */
interface SquareOf {
  readonly name: string;
  readonly at: number;
}

/** In the order of names, which is that of the norm: sorted once, and not in each step. */
const squaresOf = (holders: readonly Holder[]): SquareOf[] =>
  holders
    .flatMap(votedBy)
    .map(({ parameter: { name } }, at) => ({ name, at }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));

const named = (of: readonly SquareOf[], squares: readonly number[]): Record<string, number> =>
  Object.fromEntries(of.map(({ name, at }) => [name, squares[at]]));
