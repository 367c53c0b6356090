/**
 * The stages of a run as entries of its cast: one for each pipeline rank and data-parallel replica, followed by the routers of
 * its mixture layers, which are placed with it.
 */
import type { Step, Weights } from '../../models/model.ts';
import { flopsOf } from '../../kernels/program.ts';
import { actor, type ActorScope, type ChildSpec } from '../../runtime/index.ts';
import { TRAINING_PASSES, type RowEdge, type StageRank, type Topology } from '../../topology/index.ts';
import { routerEntry } from '../mixture/router_kind.ts';
import { gradientsAlive } from '../parameters/gradients_alive.ts';
import { LeafGradients } from '../parameters/leaf_gradients.ts';
import { ParameterSet } from '../parameters/parameter_set.ts';
import { Shareholding } from '../parameters/shareholding.ts';
import { routerAddress, stageAddress } from '../placement/addresses.ts';
import { alikeInTurn } from '../placement/alike.ts';
import type { CastEntry, Host } from '../placement/cast_entry.ts';
import type { RunSpec } from '../placement/run_spec.ts';
import { stageProtocol } from '../protocol/stage.ts';
import { LogitsHead } from './logits_head.ts';
import { alliesOf, reserveRowBuffers } from './row_buffers.ts';
import { depth } from './schedule.ts';
import { Stage } from './stage.ts';
import { createStageContext } from './stage_context.ts';
import { unmasked } from './unmasked_batches.ts';

export function stages(runSpec: RunSpec): CastEntry[] {
  return runSpec.mesh.stages.flatMap((rank) => [
    stageEntry(runSpec, rank),
    ...rank.layers.filter((layer) => isMixture(runSpec, layer)).map((layer) => routerEntry(runSpec, rank, layer)),
  ]);
}

const isMixture = ({ model }: RunSpec, layer: number): boolean => model.mixture?.layers.includes(layer) === true;

function stageEntry(runSpec: RunSpec, rank: StageRank): CastEntry {
  const { topology, model } = runSpec;
  const { pipeline_parallel, micro_batches } = topology.parallelism;
  const steps = stepsOf(model.steps, rank);
  const forward = steps.reduce((sum, step) => sum + (step.kind === 'exchange' ? 0 : flopsOf(step.program)), 0);
  return {
    address: stageAddress(rank.pipelineRank, rank.dataRank),
    role: rank.role,
    slice: rank.role,
    parameters: weightsOf(steps).flatMap((weights) => Object.values(weights)),
    sharers: sharersOf(topology, rank),
    flops: TRAINING_PASSES * forward * micro_batches,
    runsFirst: false,
    alike: (isHere) => {
      const kinds = rank.layers.map((layer) => (isMixture(runSpec, layer) ? 's' : 'd')).join('');
      const under = depth(rank.pipelineRank, pipeline_parallel, micro_batches);
      const gradients = gradientsAlive(micro_batches, rank.dataRank, 1);
      const allies = isHere === null ? '' : JSON.stringify(alliesOf(isHere, runSpec.mesh, rank));
      return `stage ${kinds}, ${rank.isFirst}, ${rank.isLast}, ${under}, ${gradients}, ${allies}`;
    },
    edges: () => edgesOf(runSpec, rank),
    build: (host) => build(host, runSpec, rank),
  };
}

const sharersOf = ({ parallelism }: Topology, { pipelineRank }: StageRank): string[] =>
  Array.from({ length: parallelism.data_parallel }, (_, dataRank) => stageAddress(pipelineRank, dataRank));

/** To the stage behind, and to the routers of its layers. */
function edgesOf(runSpec: RunSpec, { pipelineRank, dataRank, layers, isLast }: RankPlace): RowEdge[] {
  const { model, shape } = runSpec;
  const tokens = model.batch * model.sequence;
  const rows = { rowBytes: 4 * shape.hidden, even: tokens, most: tokens, together: Infinity };
  const behind = isLast ? [] : [stageAddress(pipelineRank + 1, dataRank)];
  const routers = layers.filter((layer) => isMixture(runSpec, layer)).map((layer) => routerAddress(layer, dataRank));
  return [
    ...behind.map((to): RowEdge => ({ to, cause: 'pipeline', messages: 1, ...rows })),
    // Out and back, forward and backward.
    ...routers.map((to): RowEdge => ({ to, cause: 'handOver', messages: 2, ...rows })),
  ];
}
type RankPlace = Pick<StageRank, 'pipelineRank' | 'dataRank' | 'layers' | 'isLast'>;

async function build({ device, batches, port }: Host, runSpec: RunSpec, rank: StageRank): Promise<ChildSpec> {
  const { topology, mesh, model, single } = runSpec;
  const slice = device.slice(rank.role, topology.cluster.memory_per_worker);
  const steps = stepsOf(model.steps, rank);
  const owned = weightsOf(steps).flatMap((weights) => Object.values(weights));
  const parameters = await ParameterSet.create(device, slice, owned, topology.training.seed);
  const { pipeline_parallel: pipelineRanks, micro_batches } = topology.parallelism;
  parameters.reserveGradients(gradientsAlive(micro_batches, rank.dataRank, 1));
  const count = depth(rank.pipelineRank, pipelineRanks, micro_batches);
  const contexts = await alikeInTurn(device, count, () => createStageContext(device, slice, steps, parameters.values));
  const context = await createStageContext(device, slice, stepsOf(single.steps, rank), parameters.values);
  reserveRowBuffers(port, slice, { mesh, rank, mixture: model.mixture, contexts: [...contexts, context] });
  const logits = rank.isLast ? await LogitsHead.create(device, slice, single.logits, context, parameters.values) : null;
  const parts = {
    device,
    place: { pipelineRank: rank.pipelineRank, pipelineRanks, dataRank: rank.dataRank },
    port,
    contexts,
    generation: { context, logits },
    batches: unmasked(batches),
    tokensPerStep: topology.training.global_batch_size * topology.training.sequence_length,
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
  return actor(stageProtocol, stageAddress(rank.pipelineRank, rank.dataRank), create);
}

/** The steps of a model that one stage rank runs. */
function stepsOf(steps: readonly Step[], { layers, isFirst, isLast }: StageRank): Step[] {
  return steps.filter((step) => {
    if (step.kind === 'embed') return isFirst;
    return step.kind === 'head' ? isLast : layers.includes(step.layer);
  });
}

const weightsOf = (steps: readonly Step[]): Weights[] =>
  steps.flatMap((step) => (step.kind === 'exchange' ? [] : [step.weights]));
