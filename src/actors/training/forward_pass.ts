/**
 * A forward pass takes microbatches through the model without learning anything of them, to score or to observe. Whoever opens it,
 * the trainer for an evaluation or the owner of a run for anything else, opens every stage and asks the agents of the systems for what came of it.
 */
import type { ActorScope } from '../../runtime/index.ts';
import type { Mesh } from '../../topology/index.ts';
import { agentAddress, stageAddress } from '../placement/addresses.ts';
import type { SystemHolders } from '../placement/system_holders.ts';
import { agentProtocol } from '../protocol/agent.ts';
import type { Pass } from '../protocol/pass.ts';
import type { PassReport } from '../protocol/report.ts';
import { stageProtocol } from '../protocol/stage.ts';

export interface ForwardPass {
  readonly pass: Pass;
  /** Global indices; the i-th is taken by the replica i mod replicas. */
  readonly microbatches: readonly number[];
  /** To score: the loss of each element is wanted, too. */
  readonly elements?: true;
}

/** Where the actors of the pass are. */
export interface OpenedRun {
  readonly mesh: Mesh;
  /** Those that hold parameters, by system. */
  readonly holders: readonly SystemHolders[];
}

/** Resolves to what all have reported, in no order. */
export async function forwardPass(
  from: Pick<ActorScope, 'ref'>,
  { mesh, holders }: OpenedRun,
  { pass, microbatches, ...wanted }: ForwardPass,
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
