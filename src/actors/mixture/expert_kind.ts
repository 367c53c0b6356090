/**
 * The expert groups of a run as entries of its cast, each followed by its experts. A group makes the cores of its experts, since
 * their memory lies side by side; the experts are the actors that answer for them.
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
import { weightBindings } from '../stage/bindings.ts';
import { mixturesByName, type PlacedMixture } from '../stage/rank_part.ts';
import { Expert } from './expert.ts';
import { createExpertContexts, ExpertCore } from './expert_core.ts';
import { ExpertGroup } from './expert_group.ts';
import { ExpertPrograms } from './expert_programs.ts';
import { numberOf } from '../stage/program_number.ts';

interface Made {
  readonly programs: ExpertPrograms;
  readonly cores: readonly ExpertCore[];
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
  const flops = flopsOfExpert(runSpec, mixture);
  const groupEntry: CastEntry = {
    address,
    role,
    slice: null,
    share: null,
    flops: 0,
    runsFirst: true,
    inPasses: null,
    alike: () => `experts ${experts.length}, ${underWay}, ${numberOf(mixture.programs.expert)}`,
    edges: () => [],
    build: async (host) => {
      const { programs, cores } = await madeOn(host);
      const create = (scope: ActorScope) => new ExpertGroup({ group, cores, programs, port: host.port }, scope);
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
      flops,
      runsFirst: false,
      inPasses: null,
      alike: () => '',
      edges: () => [],
      build: async (host) => {
        const { cores } = await madeOn(host);
        return actor(expertProtocol, own, (scope) => {
          return new Expert(cores[at], { mixture: name, group }, scope);
        });
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

/** Takes the memory of all experts of a group. Throws `OutOfSliceMemory`. */
async function make(
  { device }: Host,
  runSpec: RunSpec,
  { place, mixture, underWay }: { place: GroupPlace; mixture: Mixture; underWay: number },
): Promise<Made> {
  const { group, experts } = place;
  const { topology, mesh, model } = runSpec;
  const { name } = mixture;
  const programs = await ExpertPrograms.compile(device, mixture.programs.expert, {
    count: experts.length,
    rows: (model.batch * model.sequence * mixture.moe.top_k) / mixture.experts,
  });
  const cores = await alikeInTurn(device, experts.length, async (at) => {
    const expert = experts[at];
    const bank = { bank: groupAddress(name, group), count: experts.length, at };
    const slice = device.slice(expertAddress(name, expert), topology.cluster.memory_per_worker, bank);
    const weights = mixture.expert(expert);
    const share = await createShare(device, slice, shareOf(runSpec, mixture, expert));
    const tensors = weightBindings(weights, share.parameters.values);
    const contexts = createExpertContexts(device, underWay, { slice, programs, weights: tensors });
    return new ExpertCore({ expert, share, weights, contexts }, mesh.globalMicrobatches);
  });
  return { programs, cores };
}

/** Of an expert in a training step, if all experts of its layer get the same. */
function flopsOfExpert({ topology }: RunSpec, { programs, moe, experts }: Mixture): number {
  const program = programs.expert;
  const [rows] = typeOf(program, 'rows_SD').shape;
  const { global_batch_size, sequence_length } = topology.training;
  const perRow = flopsOf(program) / maxElements([rows]);
  return (TRAINING_PASSES * perRow * global_batch_size * sequence_length * moe.top_k) / experts;
}
