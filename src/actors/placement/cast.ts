/**
 * Who plays in a run: every actor that is placed, with its role and the parameters it holds. Pure, from the run spec,
 * so that any thread knows all of it.
 */
import { elements } from '../../kernels/shape.ts';
import { isSparse, type Model, type Step } from '../../models/model.ts';
import type { Parameter } from '../../models/parameter.ts';
import type { StageRank } from '../../topology/index.ts';
import { expertAddress, groupAddress, routerAddress, stageAddress } from './addresses.ts';
import type { RunSpec } from './run_spec.ts';

export interface Member {
  /** What placement places: a stage rank with its routers, or an expert group with its experts. */
  readonly role: string;
  readonly address: string;
  /** An expert group: it runs its experts, and holds nothing itself. */
  readonly isGroup: boolean;
  readonly parameters: readonly Parameter[];
}

const casts = new WeakMap<RunSpec, readonly Member[]>();

/** Every placed actor, in the mesh's order: stages and their routers, then expert groups and their experts. Drawn up once. */
export function castOf(runSpec: RunSpec): readonly Member[] {
  const known = casts.get(runSpec) ?? membersOf(runSpec);
  casts.set(runSpec, known);
  return known;
}

const roles = new WeakMap<RunSpec, ReadonlyMap<string, string>>();

/** The role of every placed actor, by its address. */
export function rolesByAddress(runSpec: RunSpec): ReadonlyMap<string, string> {
  const known = roles.get(runSpec) ?? new Map(castOf(runSpec).map(({ address, role }) => [address, role]));
  roles.set(runSpec, known);
  return known;
}

function membersOf({ mesh, model, shape }: RunSpec): Member[] {
  const stages = mesh.stages.flatMap((rank): Member[] => {
    const parameters = stepsOf(model, rank).flatMap((step) =>
      step.kind === 'exchange' ? [] : Object.values(step.weights),
    );
    const routers = rank.layers
      .filter((layer) => isSparse(shape, layer))
      .map((layer) => ({
        role: rank.role,
        address: routerAddress(layer, rank.dataRank),
        isGroup: false,
        parameters: Object.values(model.mixture!.router(layer)),
      }));
    const address = stageAddress(rank.pipelineRank, rank.dataRank);
    return [{ role: rank.role, address, isGroup: false, parameters }, ...routers];
  });
  const experts = mesh.expertGroups.flatMap(({ role, layer, group, experts: members }): Member[] => [
    { role, address: groupAddress(layer, group), isGroup: true, parameters: [] },
    ...members.map((expert) => ({
      role,
      address: expertAddress(layer, expert),
      isGroup: false,
      parameters: Object.values(model.mixture!.expert(layer, expert)),
    })),
  ]);
  return [...stages, ...experts];
}

/** The steps of a model that one stage rank runs. */
export function stepsOf(model: Model, { layers, isFirst, isLast }: StageRank): Step[] {
  return model.steps.filter((step) => {
    if (step.kind === 'embed') return isFirst;
    return step.kind === 'head' ? isLast : layers.includes(step.layer);
  });
}

/** Most elements whose values and moments travel in one message, but that a single larger parameter goes alone. */
const batchElements = 2 ** 20;

/** Names of parameters in batches that a message can carry, in order. */
export function batchesOf(parameters: readonly Parameter[]): string[][] {
  const batches: string[][] = [];
  let room = 0;
  for (const { name, shape } of parameters) {
    const size = elements(shape);
    if (size > room || batches.length === 0) {
      batches.push([]);
      room = batchElements;
    }
    batches[batches.length - 1].push(name);
    room -= size;
  }
  return batches;
}
