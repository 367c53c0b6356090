/**
 * The kind of actor that a stage is, for the cast: one for each pipeline rank and data-parallel replica, followed by the
 * routers of its mixtures, which are placed with it.
 */
import { flopsOf } from '../../kernels/program.ts';
import { elements } from '../../kernels/shape.ts';
import { lastRowsOf, type Model } from '../../models/model.ts';
import { TRAINING_PASSES } from '../../models/costs.ts';
import type { Parameter } from '../../models/parameter.ts';
import { actor, type ActorScope, type ChildSpec } from '../../runtime/index.ts';
import type { RowEdge, StageRank, Topology } from '../../topology/index.ts';
import { routerEntry } from '../mixture/router_kind.ts';
import { gradientsAlive } from '../parameters/gradients_alive.ts';
import { LeafGradients } from '../parameters/leaf_gradients.ts';
import { ParameterSet } from '../parameters/parameter_set.ts';
import { Shareholding } from '../parameters/shareholding.ts';
import { routerAddress, stageAddress } from '../placement/addresses.ts';
import { alike } from '../placement/alike.ts';
import type { CastEntry, Host } from '../placement/cast_entry.ts';
import type { RunSpec } from '../placement/run_spec.ts';
import { stageProtocol } from '../protocol/stage.ts';
import { LogitsHead } from './logits_head.ts';
import { alliesOf, reserveRowBuffers } from './row_buffers.ts';
import { Stage } from './stage.ts';
import { compileStage, createStageContext } from './stage_context.ts';
import { numberOf } from './program_number.ts';
import { ranksOf, type RankPart } from './rank_part.ts';
import { stagePart, type StagePart } from './stage_part.ts';
import { StagePlan, type Peer } from './stage_plan.ts';
import { unmasked } from './unmasked_batches.ts';

export function stages(runSpec: RunSpec): CastEntry[] {
  return ranksOf(runSpec).flatMap((own) => [
    stageEntry(runSpec, own),
    ...own.part.mixtures.map((mixture) => routerEntry(runSpec, own, mixture)),
  ]);
}

function stageEntry(runSpec: RunSpec, own: RankPart): CastEntry {
  const { topology } = runSpec;
  const { micro_batches } = topology.parallelism;
  const { rank, part, window } = own;
  const forward = part.steps.reduce((sum, step) => sum + (step.kind === 'run' ? flopsOf(step.program) : 0), 0);
  return {
    address: stageAddress(rank.pipelineRank, rank.dataRank),
    role: rank.role,
    slice: rank.role,
    parameters: parametersOf(part),
    sharers: sharersOf(topology, rank),
    flops: TRAINING_PASSES * forward * micro_batches,
    runsFirst: false,
    alike: (isHere) => {
      const programs = part.steps.map((step) => (step.kind === 'run' ? numberOf(step.program) : step.kind));
      const ends = `${part.arrivals.length} ${part.departures.length}`;
      const gradients = gradientsAlive(micro_batches, rank.dataRank, 1);
      const allies = isHere === null ? '' : JSON.stringify(alliesOf(isHere, runSpec.mesh, rank));
      return `stage ${programs.join(' ')}, ${ends}, ${window}, ${gradients}, ${allies}`;
    },
    edges: () => edgesOf(runSpec, own),
    build: (host) => build(host, runSpec, own),
  };
}

const sharersOf = ({ parallelism }: Topology, { pipelineRank }: StageRank): string[] =>
  Array.from({ length: parallelism.data_parallel }, (_, dataRank) => stageAddress(pipelineRank, dataRank));

/** To the stages that read its streams, and to its routers. */
function edgesOf({ model, config }: RunSpec, { rank: { dataRank }, part }: RankPart): RowEdge[] {
  const tokens = model.batch * model.sequence;
  const rows = { rowBytes: 4 * config.hidden_size, even: tokens, most: tokens, together: Infinity };
  const ranks = part.departures.flatMap(({ to }) => to);
  return [
    ...ranks.map((to): RowEdge => ({ to: stageAddress(to, dataRank), cause: 'pipeline', messages: 1, ...rows })),
    // Out and back, forward and backward.
    ...part.mixtures.map(({ layer }): RowEdge => ({
      to: routerAddress(layer, dataRank),
      cause: 'handOver',
      messages: 2,
      ...rows,
    })),
  ];
}

async function build({ device, batches, port }: Host, runSpec: RunSpec, own: RankPart): Promise<ChildSpec> {
  const { topology, mesh, model, single } = runSpec;
  const { rank, part, window } = own;
  const { pipelineRank, dataRank } = rank;
  const slice = device.slice(rank.role, topology.cluster.memory_per_worker);
  const parameters = await ParameterSet.create(device, slice, parametersOf(part), topology.training.seed);
  parameters.reserveGradients(gradientsAlive(topology.parallelism.micro_batches, dataRank, 1));
  const training = await compileStage(device, new StagePlan(part, { keeps: [model.losses], isTraining: true }));
  const contexts = alike(device, window, () => createStageContext(slice, training, parameters.values));
  // No losses where text is made: the head has logits instead.
  const generating = withoutLosses(stagePart(single, mesh, pipelineRank), single);
  const plan = new StagePlan(generating, { keeps: [lastRowsOf(single)], isTraining: false });
  const context = createStageContext(slice, await compileStage(device, plan), parameters.values);
  reserveRowBuffers(port, slice, { mesh, rank, mixtures: part.mixtures, contexts: [...contexts, context] });
  const last = context.tensors[lastRowsOf(single)];
  const logits = rank.isLast ? await LogitsHead.create(device, slice, single.logits, last, parameters.values) : null;
  const others = [...part.arrivals.map(({ from }) => from), ...part.departures.flatMap(({ to }) => to)];
  const parts = {
    device,
    port,
    contexts,
    generation: { context, logits },
    batches: unmasked(batches),
    tokensPerStep: topology.training.global_batch_size * topology.training.sequence_length,
    streams: { losses: model.losses },
    peers: new Map<Peer, string>([
      ...part.mixtures.map(({ id, layer }) => [id, routerAddress(layer, dataRank)] as const),
      ...others.map((other) => [other, stageAddress(other, dataRank)] as const),
    ]),
  };
  const share = {
    device,
    parameters,
    leaves: new LeafGradients(parameters),
    optimizer: topology.optimizer,
    sharers: sharersOf(topology, rank),
    microbatches: mesh.globalMicrobatches,
  };
  const create = (scope: ActorScope): Stage => new Stage(parts, new Shareholding(share, scope), scope);
  return actor(stageProtocol, stageAddress(pipelineRank, dataRank), create);
}

/** A part without the step that makes the losses. */
function withoutLosses(part: StagePart, { losses }: Model): StagePart {
  const steps = part.steps.filter((step) => step.kind !== 'run' || !Object.values(step.writes).includes(losses));
  return { ...part, steps };
}

/** The parameters of a part in the order of its steps, each once. */
function parametersOf({ steps }: StagePart): Parameter[] {
  const known = new Map<string, Parameter>();
  for (const step of steps) {
    if (step.kind !== 'run') continue;
    for (const parameter of Object.values(step.weights)) {
      const { name, shape } = parameter;
      const same = known.get(name) ?? parameter;
      if (elements(same.shape) !== elements(shape)) throw new TypeError(`parameter ${name} has two shapes`);
      known.set(name, same);
    }
  }
  return [...known.values()];
}
