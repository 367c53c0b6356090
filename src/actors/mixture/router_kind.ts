/** The router of one mixture layer and one stage rank as an entry of the cast; it is placed with its stage. */
import type { Mixture } from '../../models/model.ts';
import { actor, type ChildSpec } from '../../runtime/index.ts';
import { expertCapacity, type MoeSection, type RowEdge, type Topology } from '../../topology/index.ts';
import { gradientsAlive } from '../parameters/gradients_alive.ts';
import { LeafGradients } from '../parameters/leaf_gradients.ts';
import { ParameterSet } from '../parameters/parameter_set.ts';
import { Shareholding } from '../parameters/shareholding.ts';
import { groupAddress, routerAddress } from '../placement/addresses.ts';
import { alike } from '../placement/alike.ts';
import type { CastEntry, Host } from '../placement/cast_entry.ts';
import type { RunSpec } from '../placement/run_spec.ts';
import { routerProtocol } from '../protocol/router.ts';
import { weightBindings } from '../stage/bindings.ts';
import { groupRows } from '../stage/row_buffers.ts';
import type { RankPart } from '../stage/rank_part.ts';
import { Router } from './router.ts';
import { compileRouter, createRouterContext } from './router_context.ts';

export function routerEntry(runSpec: RunSpec, own: RankPart, mixture: Mixture): CastEntry {
  const { rank } = own;
  const { layer } = mixture;
  const address = routerAddress(layer, rank.dataRank);
  return {
    address,
    role: rank.role,
    slice: address,
    parameters: Object.values(mixture.router),
    sharers: sharersOf(runSpec.topology, layer),
    // Scores are not counted, as the published figures of models have it.
    flops: 0,
    runsFirst: false,
    // Its stage says how many microbatches are under way.
    alike: () => 'router',
    edges: () => edgesOf(runSpec, layer),
    build: (host) => build(host, runSpec, own, mixture),
  };
}

const sharersOf = ({ parallelism }: Topology, layer: number): string[] =>
  Array.from({ length: parallelism.data_parallel }, (_, dataRank) => routerAddress(layer, dataRank));

/** To each expert group of its layer. */
function edgesOf({ topology, mesh, model, config }: RunSpec, layer: number): RowEdge[] {
  const moe = moeOf(topology);
  const { num_experts, top_k } = moe;
  const tokens = model.batch * model.sequence;
  const capacity = capacityOf(moe, tokens, true);
  const rowBytes = config.hidden_size * (moe.dispatch_dtype === 'bf16' ? 2 : 4);
  return mesh.expertGroups
    .filter((group) => group.layer === layer)
    .map(({ group, experts: { length: count } }) => ({
      to: groupAddress(layer, group),
      cause: 'dispatch',
      // Rows out, outputs back; then their gradients.
      messages: 2,
      rowBytes,
      even: Math.min((tokens * top_k * count) / num_experts, count * capacity),
      most: count * capacity,
      together: tokens * top_k,
    }));
}

async function build(
  { device, port }: Host,
  { topology, mesh }: RunSpec,
  { rank, window }: RankPart,
  mixture: Mixture,
): Promise<ChildSpec> {
  const { layer } = mixture;
  const address = routerAddress(layer, rank.dataRank);
  const slice = device.slice(address, topology.cluster.memory_per_worker);
  const { router: weights } = mixture;
  const { training, optimizer, parallelism } = topology;
  const moe = moeOf(topology);
  const parameters = await ParameterSet.create(device, slice, Object.values(weights), training.seed);
  parameters.reserveGradients(gradientsAlive(parallelism.micro_batches, rank.dataRank, 1));
  const programs = await compileRouter(device, mixture.programs);
  const bindings = weightBindings(weights, parameters.values);
  const tokens = mesh.microbatchSequences * training.sequence_length;
  const parts = {
    device,
    port,
    weights,
    hand: mixture.hand,
    moe,
    place: {
      layer,
      pipelineRank: rank.pipelineRank,
      dataRank: rank.dataRank,
      groups: parallelism.expert_parallel,
      microbatches: parallelism.micro_batches,
      globalMicrobatches: mesh.globalMicrobatches,
    },
    programs,
    contexts: alike(device, window, () => createRouterContext(slice, programs, bindings)),
    seed: training.seed,
    capacity: (of: number, isTraining: boolean) => capacityOf(moe, of, isTraining),
    grant: Math.max(capacityOf(moe, tokens, true), capacityOf(moe, tokens, false)),
    room: groupRows(mixture, moe.num_experts / parallelism.expert_parallel),
  };
  const share = {
    device,
    parameters,
    leaves: new LeafGradients(parameters),
    optimizer,
    sharers: sharersOf(topology, layer),
    microbatches: mesh.globalMicrobatches,
  };
  return actor(routerProtocol, address, (scope) => new Router(parts, new Shareholding(share, scope), scope));
}

/** Slots of one expert for a microbatch of so many tokens. */
function capacityOf(moe: MoeSection, tokens: number, isTraining: boolean): number {
  const factor = isTraining ? moe.capacity_factor : moe.eval_capacity_factor;
  return expertCapacity(tokens, moe.top_k, moe.num_experts, factor, moe.min_capacity);
}

export function moeOf({ moe }: Topology): MoeSection {
  if (moe === undefined) throw new TypeError('a model with mixture layers needs the moe section');
  return moe;
}
