/** The router of one mixture layer and one stage rank as an entry of the cast; it is placed with its stage. */
import { bytesPerElement } from '../../kernels/dtype.ts';
import { typeOf } from '../../kernels/program.ts';
import type { MixtureConfig } from '../../models/config.ts';
import type { Mixture } from '../../models/model.ts';
import { actor, type ActorScope, type ChildSpec } from '../../runtime/index.ts';
import { capacityOf, choicesOf, mostRowsOf, rowsOfExpert, type RowEdge } from '../../topology/index.ts';
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
import type { AdmissionRule } from './admission.ts';
import { compileRouter, createRouterContext } from './router_context.ts';

export function routerEntry(runSpec: RunSpec, own: RankPart, mixture: Mixture): CastEntry {
  const { rank } = own;
  const share = shareOf(runSpec, rank.dataRank, mixture);
  const { address } = share;
  return {
    address,
    role: rank.role,
    slice: address,
    share,
    speaker: null,
    // Scores are not counted, as the published figures of models have it.
    flops: 0,
    runsFirst: false,
    inPasses: 'follows',
    // Its stage says how many microbatches are under way.
    alike: () => `router ${shareAlike(share)}`,
    edges: () => edgesOf(runSpec, mixture),
    build: (host) => build(host, runSpec, own, { mixture, share }),
  };
}

function shareOf({ topology, mesh }: RunSpec, dataRank: number, { name, router }: Mixture): Share {
  const { parallelism, optimizer, training } = topology;
  const { data_parallel, micro_batches: count } = parallelism;
  const sharers = Array.from({ length: data_parallel }, (_, rank) => routerAddress(name, rank));
  return {
    address: sharers[dataRank],
    holdings: holdingsOf(router, sharers),
    range: { first: dataRank * count, count, of: mesh.globalMicrobatches },
    alive: gradientsAlive(count, dataRank, 1),
    optimizer,
    seed: training.seed,
  };
}

/** To each expert group of its mixture. */
function edgesOf({ mesh, model }: RunSpec, mixture: Mixture): RowEdge[] {
  const { name, experts, moe, programs } = mixture;
  const tokens = model.batch * model.sequence;
  const capacity = rowsOfExpert(moe, tokens, true);
  const { dtype, shape } = typeOf(programs.expert, 'rows_SD');
  const rowBytes = Number(shape[1]) * bytesPerElement[dtype];
  return mesh.expertGroups
    .filter((group) => group.mixture === name)
    .map(({ group, experts: { length: count } }): RowEdge => ({
      to: groupAddress(name, group),
      cause: 'dispatch',
      // Rows out, outputs back; then their gradients.
      messages: 2,
      rowBytes,
      even: Math.min((tokens * moe.top_k * count) / experts, count * capacity),
      most: count * capacity,
      together: tokens * moe.top_k,
    }));
}

async function build(
  { device, port, routing, fresh }: Host,
  { topology, mesh }: RunSpec,
  { rank, window }: RankPart,
  { mixture, share }: { mixture: Mixture; share: Share },
): Promise<ChildSpec> {
  const { address } = share;
  const slice = device.slice(address, topology.cluster.memory_per_worker);
  const { training, parallelism } = topology;
  const { moe } = mixture;
  const shareParts = await createShare(device, slice, share, fresh);
  const programs = await compileRouter(device, mixture.programs);
  const bindings = weightBindings(mixture.router, shareParts.parameters.values);
  const tokens = mesh.microbatchSequences * training.sequence_length;
  const parts = {
    device,
    port,
    mixture,
    place: {
      pipelineRank: rank.pipelineRank,
      dataRank: rank.dataRank,
      dataRanks: parallelism.data_parallel,
      groups: parallelism.expert_parallel,
      microbatches: parallelism.micro_batches,
      globalMicrobatches: mesh.globalMicrobatches,
    },
    programs,
    log: await routing.open(mixture.name, rank.dataRank),
    contexts: alike(device, window, () => createRouterContext(slice, programs, bindings)),
    seed: training.seed,
    admission: (isTraining: boolean) => admissionOf(moe, tokens, isTraining),
    grant: { rows: mostRowsOf(moe, tokens), microbatches: window, bytes: moe.credit_bytes },
    room: groupRows(mixture, mixture.experts / parallelism.expert_parallel),
  };
  const create = (scope: ActorScope): Router => new Router(parts, new Shareholding(shareParts, scope), scope);
  // Every group may answer for every microbatch under way, both ways.
  const dataCapacity = dataCapacityOf(shareParts) + 2 * window * parallelism.expert_parallel;
  return actor(routerProtocol, address, create, { dataCapacity });
}

function admissionOf(moe: MixtureConfig, tokens: number, isTraining: boolean): AdmissionRule {
  const capacity = capacityOf(moe, tokens, isTraining);
  return { experts: moe.num_experts, topK: moe.top_k, choices: choicesOf(moe), order: moe.drop_order, ...capacity };
}
