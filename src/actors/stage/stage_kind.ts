/**
 * The kind of actor that a stage is, for the cast: one for each pipeline rank and data-parallel replica, followed by the
 * routers of its mixtures, which are placed with it.
 */
import { bytesPerElement } from '../../kernels/dtype.ts';
import { flopsOf } from '../../kernels/program.ts';
import { elements } from '../../kernels/shape.ts';
import { lastRowsOf, type Model } from '../../models/model.ts';
import { TRAINING_PASSES } from '../../models/costs.ts';
import { actor, type ActorScope, type ChildSpec } from '../../runtime/index.ts';
import type { RowEdge } from '../../topology/index.ts';
import { routerEntry } from '../mixture/router_kind.ts';
import { gradientsAlive } from '../parameters/gradients_alive.ts';
import { holdingsByAddress, type Holding } from '../parameters/holding.ts';
import type { Share } from '../parameters/share.ts';
import { createShare, dataCapacityOf, shareAlike } from '../parameters/share_parts.ts';
import { Shareholding } from '../parameters/shareholding.ts';
import { routerAddress, stageAddress } from '../placement/addresses.ts';
import { alike } from '../placement/alike.ts';
import type { CastEntry, Host } from '../placement/cast_entry.ts';
import type { RunSpec } from '../placement/run_spec.ts';
import { stageProtocol } from '../protocol/stage.ts';
import { LogitsHead } from './logits_head.ts';
import { alliesOf, reserveRowBuffers } from './row_buffers.ts';
import { observationOf } from './observation.ts';
import { Stage } from './stage.ts';
import { compileStage, createStageContext } from './stage_context.ts';
import { numberOf } from './program_number.ts';
import { ranksOf, type RankPart } from './rank_part.ts';
import { partTowards, stagePart } from './stage_part.ts';
import { StagePlan, type Peer } from './stage_plan.ts';
import { streamTypes } from './stream_types.ts';

export function stages(runSpec: RunSpec): CastEntry[] {
  const ranks = ranksOf(runSpec);
  const holdings = holdingsOfStages(ranks);
  return ranks.flatMap((own) => [
    stageEntry(runSpec, own, shareOf(runSpec, own, holdings)),
    ...own.part.mixtures.map((mixture) => routerEntry(runSpec, own, mixture)),
  ]);
}

function stageEntry(runSpec: RunSpec, own: RankPart, share: Share): CastEntry {
  const { topology } = runSpec;
  const { micro_batches } = topology.parallelism;
  const { rank, part, window } = own;
  const forward = part.steps.reduce((sum, step) => sum + (step.kind === 'run' ? flopsOf(step.program) : 0), 0);
  return {
    address: share.address,
    role: rank.role,
    slice: rank.role,
    share,
    speaker: null,
    flops: TRAINING_PASSES * forward * micro_batches,
    runsFirst: false,
    inPasses: 'opened',
    alike: (isHere) => {
      const programs = part.steps.map((step) => (step.kind === 'run' ? numberOf(step.program) : step.kind));
      const ends = `${part.arrivals.length} ${part.departures.length}`;
      const allies = isHere === null ? '' : JSON.stringify(alliesOf(isHere, runSpec.mesh, own));
      return `stage ${programs.join(' ')}, ${ends}, ${window}, ${shareAlike(share)}, ${allies}`;
    },
    edges: () => edgesOf(own),
    build: (host) => build(host, runSpec, own, share),
  };
}

/** By address: what each stage holds of the parameters of all programs. */
function holdingsOfStages(ranks: readonly RankPart[]): ReadonlyMap<string, readonly Holding[]> {
  const holders = new Map<number, string[]>();
  for (const { rank } of ranks) {
    const { pipelineRank, dataRank } = rank;
    holders.set(pipelineRank, [...(holders.get(pipelineRank) ?? []), stageAddress(pipelineRank, dataRank)]);
  }
  const first = ranks.filter(({ rank }) => rank.dataRank === 0);
  const places = first.flatMap(({ rank, part }) =>
    part.steps.flatMap((step) =>
      step.kind === 'run' ? [{ weights: step.weights, holders: holders.get(rank.pipelineRank)! }] : [],
    ),
  );
  return holdingsByAddress(places);
}

function shareOf(
  { topology, mesh }: RunSpec,
  { rank }: RankPart,
  holdings: ReadonlyMap<string, readonly Holding[]>,
): Share {
  const { micro_batches: count } = topology.parallelism;
  const address = stageAddress(rank.pipelineRank, rank.dataRank);
  return {
    address,
    holdings: holdings.get(address) ?? [],
    range: { first: rank.dataRank * count, count, of: mesh.globalMicrobatches },
    alive: gradientsAlive(count, rank.dataRank, 1),
    optimizer: topology.optimizer,
    seed: topology.training.seed,
  };
}

/** To the stages that read its streams, and to its routers. */
function edgesOf({ rank: { dataRank }, part }: RankPart): RowEdge[] {
  const types = streamTypes(part);
  const rowsOf = (stream: string) => {
    const { dtype, shape } = types.get(stream)!;
    const [rows, ...row] = shape.map((dim) => (typeof dim === 'number' ? dim : dim.max));
    return { rowBytes: bytesPerElement[dtype] * elements(row), even: rows, most: rows, together: Infinity };
  };
  return [
    ...part.departures.flatMap(({ stream, to }) =>
      to.map((rank): RowEdge => {
        return { to: stageAddress(rank, dataRank), cause: 'pipeline', messages: 1, ...rowsOf(stream) };
      }),
    ),
    // Out and back, forward and backward.
    ...part.mixtures.map(({ name, hand }): RowEdge => {
      return { to: routerAddress(name, dataRank), cause: 'handOver', messages: 2, ...rowsOf(hand.gives) };
    }),
  ];
}

/** What is read when the way forward is over. */
const endsOf = ({ objective: { losses, reports } }: Model): string[] => [losses, ...Object.values(reports)];

async function build(
  { device, batches, port, fresh }: Host,
  runSpec: RunSpec,
  own: RankPart,
  share: Share,
): Promise<ChildSpec> {
  const { topology, mesh, model, single } = runSpec;
  const { rank, part, window } = own;
  const { pipelineRank, dataRank } = rank;
  const slice = device.slice(rank.role, topology.cluster.memory_per_worker);
  const shareParts = await createShare(device, slice, share, fresh);
  const { values } = shareParts.parameters;
  const training = await compileStage(device, new StagePlan(part, { keeps: endsOf(model), isTraining: true }));
  const contexts = alike(device, window, () => createStageContext(slice, training, values));
  // No losses where text is made: the head has logits instead.
  const keeps = [lastRowsOf(single)];
  const generating = partTowards(stagePart(single, mesh, pipelineRank), keeps);
  const plan = new StagePlan(generating, { keeps, isTraining: false });
  const context = createStageContext(slice, await compileStage(device, plan), values);
  const observation = await observationOf(device, slice, runSpec, { pipelineRank, values });
  const extra = observation === null ? [] : [observation.context];
  reserveRowBuffers(port, slice, { mesh, own, contexts: [...contexts, context, ...extra] });
  const last = context.tensors[lastRowsOf(single)];
  const logits =
    rank.isLast && single.logits !== null ? await LogitsHead.create(device, slice, single.logits, last, values) : null;
  const others = [...part.arrivals.map(({ from }) => from), ...part.departures.flatMap(({ to }) => to)];
  const parts = {
    device,
    port,
    contexts,
    decoding: { context, logits },
    observation,
    batches,
    objective: model.objective,
    peers: new Map<Peer, string>([
      ...part.mixtures.map(({ id, name }) => [id, routerAddress(name, dataRank)] as const),
      ...others.map((other) => [other, stageAddress(other, dataRank)] as const),
    ]),
  };
  const create = (scope: ActorScope): Stage => new Stage(parts, new Shareholding(shareParts, scope), scope);
  return actor(stageProtocol, share.address, create, { dataCapacity: dataCapacityOf(shareParts) });
}
