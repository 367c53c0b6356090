/**
 * A score pass takes microbatches forward without learning anything of them. Whoever opens it, the trainer for an evaluation or
 * the owner of a run for scores, opens every stage and asks the agents of the systems for what came of it.
 */
import type { ActorScope } from '../../runtime/index.ts';
import type { Mesh } from '../../topology/index.ts';
import { agentAddress, stageAddress } from '../placement/addresses.ts';
import type { SystemHolders } from '../placement/system_holders.ts';
import { agentProtocol } from '../protocol/agent.ts';
import type { Pass } from '../protocol/pass.ts';
import type { PassReport } from '../protocol/report.ts';
import { stageProtocol } from '../protocol/stage.ts';

export interface ScorePass {
  readonly pass: Pass;
  /** Global indices; the i-th is taken by the replica i mod replicas. */
  readonly microbatches: readonly number[];
  /** What each element has is wanted, too. */
  readonly elements?: true;
}

/** Where the actors of the pass are. */
export interface ScoredRun {
  readonly mesh: Mesh;
  /** Those that hold parameters, by system. */
  readonly holders: readonly SystemHolders[];
}

/** Resolves to what all have reported, in no order. */
export async function scorePass(
  from: Pick<ActorScope, 'ref'>,
  { mesh, holders }: ScoredRun,
  { pass, microbatches, ...wanted }: ScorePass,
  timeoutMs: number,
): Promise<PassReport> {
  const replicas = 1 + Math.max(...mesh.stages.map(({ dataRank }) => dataRank));
  for (const { pipelineRank, dataRank } of mesh.stages) {
    const own = microbatches.filter((i) => i % replicas === dataRank);
    from.ref(stageProtocol, stageAddress(pipelineRank, dataRank)).tell.open({ pass, microbatches: own, ...wanted });
  }
  const systems = holders.filter((each) => each.holders.some(({ inPasses }) => inPasses !== null));
  const reports = await Promise.all(
    systems.map(({ system }) => from.ref(agentProtocol, agentAddress(system)).ask.finish(pass, { timeoutMs })),
  );
  return {
    sums: reports.flatMap(({ sums }) => sums),
    outputs: reports.flatMap(({ outputs }) => outputs),
    routing: reports.flatMap(({ routing }) => routing),
  };
}
