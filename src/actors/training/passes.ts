/**
 * Passes are what a trainer has the roles of a run make: a training step, which all vote on and apply, and evaluations,
 * which end with a report. It opens the stages, asks the agents of the systems, and gathers; what follows from the answers
 * is the trainer's.
 */
import type { ActorScope, Ref } from '../../runtime/index.ts';
import { globalMicrobatch, type Mesh, type StageRank, type Topology } from '../../topology/index.ts';
import { agentAddress, stageAddress } from '../placement/addresses.ts';
import type { Holder } from '../placement/cast_entry.ts';
import { votedBy, type SystemHolders } from '../placement/system_holders.ts';
import { agentProtocol, type SystemReport } from '../protocol/agent.ts';
import { stageProtocol } from '../protocol/stage.ts';
import type { AppliedDecision, Vote } from '../protocol/parameters.ts';
import { trainingPass } from '../protocol/pass.ts';
import type { Evaluation } from './evaluation.ts';
import { lossesOf, type Losses } from './losses.ts';
import { forwardPass } from './forward_pass.ts';

export interface PassesParts {
  readonly topology: Topology;
  readonly mesh: Mesh;
  /** Every system of the run; each has an agent. */
  readonly systems: readonly string[];
  /** Those that hold parameters, by system. */
  readonly holders: readonly SystemHolders[];
  readonly evaluations: readonly Evaluation[];
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
  train(step: number, lossScale: number | null): Promise<Vote[]> {
    const { mesh, topology, holders } = this.parts;
    const { micro_batches } = topology.parallelism;
    const scaled = lossScale === null ? {} : { lossScale };
    this.scope.setParamsVersion(step);
    for (const rank of mesh.stages) {
      const microbatches = Array.from({ length: micro_batches }, (_, i) =>
        globalMicrobatch(rank.dataRank, micro_batches, i),
      );
      this.stage(rank).tell.open({ pass: trainingPass(step), microbatches, ...scaled });
    }
    return Promise.all(
      holders.map(async ({ system }) => {
        const vote = await this.agent(system).ask.vote(undefined, { timeoutMs: this.patienceMs });
        return { ...vote, squares: named(this.squares.get(system)!, vote.squares) };
      }),
    );
  }

  /** Has all roles apply a decision. Resolves to what every system has counted by then. */
  apply(decision: AppliedDecision): Promise<SystemReport[]> {
    return Promise.all(
      this.parts.systems.map((system) => this.agent(system).ask.apply(decision, { timeoutMs: this.patienceMs })),
    );
  }

  /** What an evaluation comes to after `step` steps, at the evaluation's capacity factor and without noise; null without data. */
  async evaluate({ name, microbatches }: Evaluation, step: number): Promise<Losses | null> {
    if (microbatches === 0) return null;
    const pass = { kind: 'score', data: name, step } as const;
    const all = Array.from({ length: microbatches }, (_, i) => i);
    this.scope.setParamsVersion(step);
    return lossesOf((await forwardPass(this.scope, this.parts, { pass, microbatches: all }, this.patienceMs)).sums);
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

function named(of: readonly SquareOf[], squares: readonly number[]): Record<string, number> {
  const byName: Record<string, number> = {};
  for (const { name, at } of of) byName[name] = squares[at];
  return byName;
}
