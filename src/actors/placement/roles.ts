/** Refs of all actors that hold parameters, in the mesh's order, so that whatever is folded over them has one order. */
import type { ActorScope, Ref } from '../../runtime/index.ts';
import type { Mesh } from '../../topology/index.ts';
import { expertAddress, routerAddress, stageAddress } from './addresses.ts';
import { expertProtocol } from '../protocol/expert.ts';
import { routerProtocol } from '../protocol/router.ts';
import { stageProtocol } from '../protocol/stage.ts';

export type Role = Ref<typeof stageProtocol> | Ref<typeof routerProtocol> | Ref<typeof expertProtocol>;

export function rolesOf(scope: Pick<ActorScope, 'ref'>, mesh: Mesh): Role[] {
  const dataRanks = [...new Set(mesh.stages.map((stage) => stage.dataRank))];
  return [
    ...mesh.stages.map(({ pipelineRank, dataRank }) => scope.ref(stageProtocol, stageAddress(pipelineRank, dataRank))),
    ...mesh.moeLayers.flatMap((layer) =>
      dataRanks.map((rank) => scope.ref(routerProtocol, routerAddress(layer, rank))),
    ),
    ...mesh.expertGroups.flatMap(({ layer, experts }) =>
      experts.map((expert) => scope.ref(expertProtocol, expertAddress(layer, expert))),
    ),
  ];
}
