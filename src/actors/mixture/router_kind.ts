/** The router of one mixture layer and one stage rank as an entry of the cast; it is placed with its stage. */
import type { Mixture } from '../../models/model.ts';
import { actor, type ActorScope, type ChildSpec } from '../../runtime/index.ts';
import { expertCapacity, type MoeSection, type RowEdge, type Topology } from '../../topology/index.ts';
import { gradientsAlive } from '../parameters/gradients_alive.ts';
import { holdingsOf } from '../parameters/holding.ts';
import type { Share } from '../parameters/share.ts';
import { createShare, dataCapacityOf, shareAlike } from '../parameters/share_parts.ts';
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
  const share = shareOf(runSpec, rank.dataRank, mixture);
  const { address } = share;
  return {
    address,
    role: rank.role,
    slice: address,
    share,
    // Scores are not counted, as the published figures of models have it.
    flops: 0,
    runsFirst: false,
    inPasses: 'follows',
    // Its stage says how many microbatches are under way.
    alike: () => `router ${shareAlike(share)}`,
    edges: () => edgesOf(runSpec, layer),
    build: (host) => build(host, runSpec, own, { mixture, share }),
  };
}

function shareOf({ topology, mesh }: RunSpec, dataRank: number, { layer, router }: Mixture): Share {
  const { parallelism, optimizer, training } = topology;
  const { data_parallel, micro_batches: count } = parallelism;
  const sharers = Array.from({ length: data_parallel }, (_, rank) => routerAddress(layer, rank));
  return {
    address: sharers[dataRank],
    holdings: holdingsOf(router, sharers),
    range: { first: dataRank * count, count, of: mesh.globalMicrobatches },
    alive: gradientsAlive(count, dataRank, 1),
    optimizer,
    seed: training.seed,
  };
}

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
  { mixture, share }: { mixture: Mixture; share: Share },
): Promise<ChildSpec> {
  const { layer } = mixture;
  const { address } = share;
  const slice = device.slice(address, topology.cluster.memory_per_worker);
  const { router: weights } = mixture;
  const { training, parallelism } = topology;
  const moe = moeOf(topology);
  const shareParts = await createShare(device, slice, share);
  const programs = await compileRouter(device, mixture.programs);
  const bindings = weightBindings(weights, shareParts.parameters.values);
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
  const create = (scope: ActorScope): Router => new Router(parts, new Shareholding(shareParts, scope), scope);
  // Every group may answer for every microbatch under way, both ways.
  const dataCapacity = dataCapacityOf(shareParts) + 2 * window * parallelism.expert_parallel;
  return actor(routerProtocol, address, create, { dataCapacity });
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
