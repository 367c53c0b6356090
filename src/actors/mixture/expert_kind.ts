/**
 * The expert groups of a run as entries of its cast, each followed by its experts. A group makes the cores of its experts, since
 * they run as one; the experts are the actors that answer for them.
 */
import { maxElements } from '../../kernels/shape.ts';
import { flopsOf, typeOf } from '../../kernels/program.ts';
import { actor, DATA_CAPACITY, type ActorScope } from '../../runtime/index.ts';
import { TRAINING_PASSES } from '../../models/costs.ts';
import type { Mixture } from '../../models/model.ts';
import type { ExpertGroup as GroupPlace } from '../../topology/index.ts';
import { gradientsAlive } from '../parameters/gradients_alive.ts';
import { holdingsOf } from '../parameters/holding.ts';
import type { Share } from '../parameters/share.ts';
import { createShare } from '../parameters/share_parts.ts';
import { expertAddress, groupAddress } from '../placement/addresses.ts';
import { alikeInTurn } from '../placement/alike.ts';
import type { CastEntry, Host } from '../placement/cast_entry.ts';
import type { RunSpec } from '../placement/run_spec.ts';
import { expertGroupProtocol, expertProtocol } from '../protocol/expert.ts';
import { mixturesByName, type PlacedMixture } from '../stage/rank_part.ts';
import { Expert } from './expert.ts';
import { ExpertCore } from './expert_core.ts';
import { ExpertGroup } from './expert_group.ts';
import { compileExperts, type ExpertPrograms } from './expert_programs.ts';
import { createGroupContexts, type GroupContext } from './group_context.ts';
import { numberOf } from '../stage/program_number.ts';
import { groupRows } from '../stage/row_buffers.ts';

interface Made {
  readonly programs: ExpertPrograms;
  readonly cores: readonly ExpertCore[];
  readonly contexts: readonly GroupContext[];
}

export function expertGroups(runSpec: RunSpec): CastEntry[] {
  const mixtures = mixturesByName(runSpec);
  return runSpec.mesh.expertGroups.flatMap((group) => groupEntries(runSpec, group, mixtures.get(group.mixture)!));
}

function groupEntries(runSpec: RunSpec, place: GroupPlace, placed: PlacedMixture): CastEntry[] {
  const { topology } = runSpec;
  const { mixture } = placed;
  const { role, mixture: name, group, experts } = place;
  const underWay = topology.parallelism.data_parallel * placed.window;
  const made = new WeakMap<Host, Promise<Made>>();
  const madeOn = (host: Host): Promise<Made> => {
    const known = made.get(host) ?? make(host, runSpec, { place, mixture, underWay });
    made.set(host, known);
    return known;
  };
  const address = groupAddress(name, group);
  const named = { mixture: name, group, microbatches: runSpec.mesh.globalMicrobatches };
  const flops = flopsOfExpert(runSpec, mixture);
  const groupEntry: CastEntry = {
    address,
    role,
    slice: address,
    share: null,
    speaker: null,
    flops: 0,
    runsFirst: true,
    inPasses: null,
    alike: () => `experts ${experts.length}, ${underWay}, ${numberOf(mixture.programs.expert)}`,
    edges: () => [],
    build: async (host) => {
      const made = await madeOn(host);
      const create = (scope: ActorScope) => new ExpertGroup({ ...named, port: host.port, ...made }, scope);
      // Every router of the layer may have as many dispatches here as microbatches under way, both ways.
      return actor(expertGroupProtocol, address, create, { dataCapacity: DATA_CAPACITY + 2 * underWay });
    },
  };
  const expertEntries = experts.map((expert, at): CastEntry => {
    const own = expertAddress(name, expert);
    return {
      address: own,
      role,
      slice: own,
      share: shareOf(runSpec, mixture, expert),
      speaker: address,
      flops,
      runsFirst: false,
      inPasses: null,
      alike: () => '',
      edges: () => [],
      build: async (host) => {
        const { cores } = await madeOn(host);
        return actor(expertProtocol, own, (scope) => new Expert(cores[at], scope));
      },
    };
  });
  return [groupEntry, ...expertEntries];
}

/** An expert is nobody else's, and makes the leaves of all microbatches. */
function shareOf({ topology, mesh }: RunSpec, { name, expert }: Mixture, index: number): Share {
  const { data_parallel, micro_batches } = topology.parallelism;
  const address = expertAddress(name, index);
  return {
    address,
    holdings: holdingsOf(expert(index), [address]),
    range: { first: 0, count: mesh.globalMicrobatches, of: mesh.globalMicrobatches },
    alive: gradientsAlive(micro_batches, 0, data_parallel),
    optimizer: topology.optimizer,
    seed: topology.training.seed,
  };
}

/** Takes the memory of a group and of all its experts. Throws `OutOfSliceMemory`. */
async function make(
  { device, fresh }: Host,
  runSpec: RunSpec,
  { place, mixture, underWay }: { place: GroupPlace; mixture: Mixture; underWay: number },
): Promise<Made> {
  const { group, experts } = place;
  const { topology, model } = runSpec;
  const { name } = mixture;
  const budget = topology.cluster.memory_per_worker;
  const slice = device.slice(groupAddress(name, group), budget);
  const programs = await compileExperts(device, mixture.programs.expert, {
    count: experts.length,
    rows: groupRows(mixture, experts.length),
    each: (model.batch * model.sequence * mixture.moe.top_k) / mixture.experts,
  });
  const cores = await alikeInTurn(device, experts.length, async (at) => {
    const expert = experts[at];
    const bank = { bank: groupAddress(name, group), count: experts.length, at };
    const own = device.slice(expertAddress(name, expert), budget, bank);
    const share = await createShare(device, own, shareOf(runSpec, mixture, expert), fresh);
    return new ExpertCore({ expert, share, weights: mixture.expert(expert) });
  });
  const weights = cores.map(({ values }) => values);
  return { programs, cores, contexts: createGroupContexts(device, slice, { programs, weights, count: underWay }) };
}

/** Of an expert in a training step, if all experts of its layer get the same. */
function flopsOfExpert({ topology }: RunSpec, { programs, moe, experts }: Mixture): number {
  const program = programs.expert;
  const [rows] = typeOf(program, 'rows_SD').shape;
  const { global_batch_size, sequence_length } = topology.training;
  const perRow = flopsOf(program) / maxElements([rows]);
  return (TRAINING_PASSES * perRow * global_batch_size * sequence_length * moe.top_k) / experts;
}
