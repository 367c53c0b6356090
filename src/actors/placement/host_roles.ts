/**
 * The company of a worker: the stages, routers, experts and expert groups placed on it, with their memory, as specs that
 * a supervisor starts. All memory is taken and all programs are compiled here, before the first actor starts; a budget that is too
 * small is found now.
 */
import type { BankPlace, Device, Slice } from '../../kernels/device.ts';
import { isSparse, type Mixture, type ProgramStep, type Step } from '../../models/model.ts';
import { actor, type ActorScope, type ChildSpec } from '../../runtime/index.ts';
import {
  expertCapacity,
  type ExpertGroup as GroupPlace,
  type MoeSection,
  type StageRank,
  type Topology,
} from '../../topology/index.ts';
import { expertAddress, groupAddress, routerAddress, stageAddress } from './addresses.ts';
import { alike, alikeInTurn } from './alike.ts';
import type { BatchPort } from '../stage/batch_port.ts';
import type { RunSpec } from './run_spec.ts';
import { weightBindings } from '../stage/bindings.ts';
import { rolesByAddress, stepsOf } from './cast.ts';
import { Expert } from '../mixture/expert.ts';
import { createExpertContexts, ExpertCore } from '../mixture/expert_core.ts';
import { ExpertGroup } from '../mixture/expert_group.ts';
import { ExpertPrograms } from '../mixture/expert_programs.ts';
import { gradientsAlive } from '../parameters/gradients_alive.ts';
import { ParameterSet } from '../parameters/parameter_set.ts';
import { expertGroupProtocol, expertProtocol } from '../protocol/expert.ts';
import { routerProtocol } from '../protocol/router.ts';
import { stageProtocol } from '../protocol/stage.ts';
import { groupRows, reserveRowBuffers } from '../stage/row_buffers.ts';
import { Router } from '../mixture/router.ts';
import { RowsPort } from '../stage/rows_port.ts';
import { compileRouter, createRouterContext } from '../mixture/router_context.ts';
import { depth } from '../stage/schedule.ts';
import { Stage } from '../stage/stage.ts';
import { createStageContext } from '../stage/stage_context.ts';
import { unmasked } from '../stage/unmasked_batches.ts';
import { LogitsHead } from '../stage/logits_head.ts';

export interface HostOptions {
  readonly runSpec: RunSpec;
  readonly batches: BatchPort;
  /** The device of this worker. */
  readonly device: Device;
  /** Whether this worker hosts a role. */
  readonly hosts: (role: string) => boolean;
  /** Whether a role that it hosts is made now; left out: all are. A rehearsal makes one at a time. */
  readonly makes?: (role: string) => boolean;
}

/** Makes everything that the actors of this worker need. Throws `OutOfSliceMemory`. */
export async function hostRoles(options: HostOptions): Promise<ChildSpec[]> {
  const { runSpec, hosts, makes = hosts, device } = options;
  const { mesh, shape, model, single } = runSpec;
  const worker = { ...options, port: new RowsPort(device, isHereOf(options)) };
  const specs: ChildSpec[] = [];
  for (const rank of mesh.stages.filter(({ role }) => makes(role))) {
    const logits = rank.isLast ? single.logits : null;
    specs.push(await stageSpec(worker, rank, stepsOf(model, rank), stepsOf(single, rank), logits));
    for (const layer of rank.layers.filter((l) => isSparse(shape, l))) {
      specs.push(await routerSpec(worker, rank, layer, model.mixture!));
    }
  }
  for (const group of mesh.expertGroups.filter(({ role }) => makes(role))) {
    specs.push(...(await groupSpecs(worker, group, model.mixture!)));
  }
  return specs;
}

/** Whether the actor of an address lives on the worker that hosts these roles. */
export function isHereOf({ runSpec, hosts }: Pick<HostOptions, 'runSpec' | 'hosts'>) {
  const roles = rolesByAddress(runSpec);
  return (address: string): boolean => {
    const role = roles.get(address);
    return role !== undefined && hosts(role);
  };
}

interface WorkerOptions extends HostOptions {
  readonly port: RowsPort;
}

async function stageSpec(
  { runSpec: { topology, mesh, model }, batches, device, port }: WorkerOptions,
  rank: StageRank,
  steps: readonly Step[],
  single: readonly Step[],
  logits: ProgramStep | null,
): Promise<ChildSpec> {
  const slice = sliceOf(device, topology, rank.role);
  const owned = steps.flatMap((step) => (step.kind === 'exchange' ? [] : Object.values(step.weights)));
  const parameters = await ParameterSet.create(device, slice, owned, topology.training.seed);
  const { pipeline_parallel: pipelineRanks, data_parallel: dataRanks, micro_batches } = topology.parallelism;
  parameters.reserveGradients(gradientsAlive(micro_batches, rank.dataRank, 1));
  const count = depth(rank.pipelineRank, pipelineRanks, micro_batches);
  const contexts = await alikeInTurn(device, count, () => createStageContext(device, slice, steps, parameters.values));
  const context = await createStageContext(device, slice, single, parameters.values);
  reserveRowBuffers(port, slice, { mesh, rank, mixture: model.mixture, contexts: [...contexts, context] });
  const head = logits && (await LogitsHead.create(device, slice, logits, context, parameters.values));
  const parts = {
    device,
    parameters,
    optimizer: topology.optimizer,
    place: {
      pipelineRank: rank.pipelineRank,
      pipelineRanks,
      dataRank: rank.dataRank,
      dataRanks,
      globalMicrobatches: mesh.globalMicrobatches,
    },
    port,
    contexts,
    generation: { context, logits: head },
    batches: unmasked(batches),
    tokensPerStep: topology.training.global_batch_size * topology.training.sequence_length,
  };
  const create = (scope: ActorScope): Stage => new Stage(parts, scope);
  return actor(stageProtocol, stageAddress(rank.pipelineRank, rank.dataRank), create);
}

async function routerSpec(
  { runSpec: { topology, mesh }, device, port }: WorkerOptions,
  rank: StageRank,
  layer: number,
  mixture: Mixture,
): Promise<ChildSpec> {
  const address = routerAddress(layer, rank.dataRank);
  const slice = sliceOf(device, topology, address);
  const weights = mixture.router(layer);
  const { training, optimizer, parallelism } = topology;
  const moe = moeOf(topology);
  const parameters = await ParameterSet.create(device, slice, Object.values(weights), training.seed);
  parameters.reserveGradients(gradientsAlive(parallelism.micro_batches, rank.dataRank, 1));
  const programs = await compileRouter(device, mixture.programs);
  const bindings = weightBindings(weights, parameters.values);
  const count = depth(rank.pipelineRank, parallelism.pipeline_parallel, parallelism.micro_batches);
  const tokens = mesh.microbatchSequences * training.sequence_length;
  const capacity = (of: number, isTraining: boolean): number => {
    const factor = isTraining ? moe.capacity_factor : moe.eval_capacity_factor;
    return expertCapacity(of, moe.top_k, moe.num_experts, factor, moe.min_capacity);
  };
  const parts = {
    device,
    port,
    parameters,
    weights,
    optimizer,
    moe,
    place: {
      layer,
      pipelineRank: rank.pipelineRank,
      dataRank: rank.dataRank,
      dataRanks: parallelism.data_parallel,
      groups: parallelism.expert_parallel,
      globalMicrobatches: mesh.globalMicrobatches,
    },
    programs,
    contexts: alike(device, count, () => createRouterContext(slice, programs, bindings)),
    seed: training.seed,
    capacity,
    grant: Math.max(capacity(tokens, true), capacity(tokens, false)),
    room: groupRows(mixture, moe.num_experts / parallelism.expert_parallel),
  };
  return actor(routerProtocol, address, (scope) => new Router(parts, scope));
}

async function groupSpecs(
  { runSpec: { topology, mesh }, device, port }: WorkerOptions,
  { layer, group, experts }: GroupPlace,
  mixture: Mixture,
): Promise<ChildSpec[]> {
  const { pipeline_parallel, data_parallel, micro_batches } = topology.parallelism;
  const stage = mesh.stages.find((rank) => rank.layers.includes(layer))!;
  const count = data_parallel * depth(stage.pipelineRank, pipeline_parallel, micro_batches);
  const { top_k, num_experts } = moeOf(topology);
  const tokens = mesh.microbatchSequences * topology.training.sequence_length;
  const programs = await ExpertPrograms.compile(device, mixture.programs.expert, {
    count: experts.length,
    rows: (tokens * top_k) / num_experts,
  });
  const cores = await alikeInTurn(device, experts.length, async (at) => {
    const expert = experts[at];
    const bank = { bank: groupAddress(layer, group), count: experts.length, at };
    const slice = sliceOf(device, topology, expertAddress(layer, expert), bank);
    const weights = mixture.expert(layer, expert);
    const parameters = await ParameterSet.create(device, slice, Object.values(weights), topology.training.seed);
    parameters.reserveGradients(gradientsAlive(micro_batches, 0, data_parallel));
    const tensors = weightBindings(weights, parameters.values);
    const contexts = createExpertContexts(device, count, { slice, programs, weights: tensors });
    return new ExpertCore({ expert, parameters, weights, contexts }, mesh.globalMicrobatches);
  });
  const groupSpec = actor(
    expertGroupProtocol,
    groupAddress(layer, group),
    (scope) => new ExpertGroup({ group, cores, programs, port }, scope),
  );
  const place = { layer, group };
  const expertSpecs = cores.map((core) =>
    actor(
      expertProtocol,
      expertAddress(layer, core.expert),
      (scope) => new Expert(core, topology.optimizer, place, scope),
    ),
  );
  return [groupSpec, ...expertSpecs];
}

/** A slice may take what the worker has left; the first that finds too little says so in its own name. */
const sliceOf = (device: Device, topology: Topology, owner: string, place?: BankPlace): Slice =>
  device.slice(owner, topology.cluster.memory_per_worker, place);

function moeOf({ moe }: Topology): MoeSection {
  if (moe === undefined) throw new TypeError('a model with mixture layers needs the moe section');
  return moe;
}
