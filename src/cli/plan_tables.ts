/** A plan as a person reads it: who lives where, what it weighs, what it computes and what it sends, in tables. */
import type { ActorPlan, Plan } from '../run/plan.ts';
import type { SliceMemory } from '../run/rehearsal.ts';
import type { Link, Mesh, StageRank, Traffic } from '../topology/index.ts';
import { byteUnit, count, flopUnit, inUnit, percent, plural } from './figures.ts';
import { nameOf, verdict } from './plan_verdict.ts';
import { estimateLines, type StepEstimate } from './step_estimate.ts';
import { numbers, table, words } from './table.ts';

/** Rows of a table that are shown: a cluster of a thousand workers has a million links. */
const mostRows = 24;
/** Links that the plan as JSON lists: thousands of workers have millions, which make no text. */
export const mostLinks = 100_000;

/** The plan's lines, the verdict last; none is wider than 100 columns for names of usual length. */
export function planLines(plan: Plan, estimate: StepEstimate | null = null): string[] {
  const { runSpec, workers } = plan;
  const { topology, mesh } = runSpec;
  const groups = mesh.expertGroups.length === 0 ? '' : ` and ${plural(mesh.expertGroups.length, 'expert group')}`;
  const ranks = `${plural(mesh.stages.length, 'stage rank')}${groups}`;
  const where = `${plural(workers.length, 'worker')} of ${plural(topology.cluster.nodes, 'node')}`;
  const tokens = topology.training.global_batch_size * topology.training.sequence_length;
  return [
    `${topology.name}: ${ranks} on ${where}; ${tokens} tokens a step`,
    ...section('parameters', parameterTable(plan)),
    ...section('roles', roleTable(plan)),
    ...section(...memoryTable(plan)),
    ...section(...workerTable(plan)),
    ...section(...linkTable(plan)),
    '',
    'Memory is exact, but for what onnxruntime takes inside a program. FLOPs: three forward passes, a',
    'multiply-add is two, attention in full, experts evenly loaded; routers and norms are not counted.',
    'Bytes are those of tensors, without headers and control messages. Hand-over, pipeline and all-reduce',
    'are exact; dispatch follows the routing: `even` if all experts get the same, `most` by capacity.',
    ...(estimate === null ? [] : ['', ...estimateLines(estimate)]),
    '',
    verdict(plan),
  ];
}

const section = (title: string, lines: readonly string[]): string[] => [
  '',
  title,
  ...lines.map((line) => (line === '' ? '' : `  ${line}`)),
];

function parameterTable({ parameters }: Plan): string[] {
  const { embedding, mixers, denseFfn, router, experts, norms, head, total, active } = parameters;
  const parts = { embedding, mixers, 'dense FFNs': denseFfn, routers: router, experts, norms, head };
  const all = { ...parts, total, 'active for a token': active };
  const rows = Object.entries(all).map(([part, value]) => [part, count(value), percent(value / total)]);
  return table(
    [words('part'), numbers('parameters'), numbers('share')],
    rows.filter((_, at) => Object.values(all)[at] > 0),
  );
}

function roleTable({ workers, runSpec: { mesh } }: Plan): string[] {
  const homes = new Map(workers.flatMap(({ worker, roles }) => roles.map((role) => [role, worker] as const)));
  const rows = [
    ...mesh.stages.slice(0, mostRows).map((stage) => [stage.role, heldByStage(mesh, stage)]),
    ...mesh.expertGroups
      .slice(0, mostRows)
      .map(({ role, mixture, experts }) => [role, `${spans('expert', experts)} of layer ${mixture}`]),
  ].map(([role, holds]) => [role, holds, nameOf(homes.get(role)!)]);
  return table([words('role'), words('holds'), words('worker')], rows, mostRows, homes.size);
}

/** What a stage rank holds of the model, in words. */
function heldByStage({ moeLayers }: Mesh, { layers, isFirst, isLast }: StageRank): string {
  const sparse = new Set(moeLayers);
  const routers = layers.filter((layer) => sparse.has(layer)).length;
  return [
    ...(isFirst ? ['embedding'] : []),
    spans('layer', layers),
    ...(routers > 0 ? [plural(routers, 'router')] : []),
    ...(isLast ? ['head'] : []),
  ].join(', ');
}

const spans = (noun: string, [first, ...rest]: readonly number[]): string =>
  rest.length === 0 ? `${noun} ${first}` : `${noun}s ${first}-${rest[rest.length - 1]}`;

function memoryTable({ workers, runSpec: { mesh } }: Plan): [string, string[]] {
  const roles = new Map<string, { role: string; memory: SliceMemory; flops: number }>();
  for (const actor of workers.flatMap(({ actors }) => actors))
    roles.set(actor.role, added(roles.get(actor.role), actor));
  const all = inMeshOrder(mesh, [...roles.values()]);
  const bytes = byteUnit(all.map(({ memory }) => totalOf(memory)));
  const flops = flopUnit(all.map((role) => role.flops));
  const kinds = ['parameters', 'gradients', 'moments', 'activations'] as const;
  const rows = all
    .slice(0, mostRows)
    .map(({ role, memory, flops: work }) => [
      role,
      ...[...kinds.map((kind) => memory[kind]), totalOf(memory)].map((value) => inUnit(value, bytes)),
      inUnit(work, flops),
    ]);
  const columns = [words('role'), ...[...kinds, 'total', flops.name].map(numbers)];
  return [`memory of each role (${bytes.name}), and its work in a step`, table(columns, rows, mostRows, all.length)];
}

function added(before: { memory: SliceMemory; flops: number } | undefined, { role, memory, flops }: ActorPlan) {
  if (before === undefined) return { role, memory, flops };
  const sum = {
    parameters: before.memory.parameters + memory.parameters,
    gradients: before.memory.gradients + memory.gradients,
    moments: before.memory.moments + memory.moments,
    activations: before.memory.activations + memory.activations,
  };
  return { role, memory: sum, flops: before.flops + flops };
}

function workerTable({ workers }: Plan): [string, string[]] {
  const bytes = byteUnit(workers.map(({ totalBytes }) => totalBytes));
  const flops = flopUnit(workers.map((worker) => worker.flops));
  const allFlops = workers.reduce((sum, worker) => sum + worker.flops, 0);
  const rows = workers
    .slice(0, mostRows)
    .map(({ worker, flops: work, ...memory }) => [
      nameOf(worker),
      ...[memory.sliceBytes, memory.scratchBytes, memory.holeBytes, memory.totalBytes].map((value) =>
        inUnit(value, bytes),
      ),
      percent(memory.totalBytes / memory.limitBytes),
      inUnit(work, flops),
      percent(work / allFlops),
    ]);
  const titles = ['slices', 'scratch', 'holes', 'total', 'of budget', flops.name, 'share'];
  return [
    `workers: memory (${bytes.name}), and work in a step`,
    table([words('worker'), ...titles.map(numbers)], rows, mostRows, workers.length),
  ];
}

function linkTable({ traffic: { links, byTransport } }: Plan): [string, string[]] {
  const unit = byteUnit(links.map(mostBytes));
  const figures = (traffic: Traffic): string[] => {
    const { dispatchEven, dispatchMost, handOver, pipeline, allReduce } = traffic;
    return [dispatchEven, dispatchMost, handOver, pipeline, allReduce, mostBytes(traffic)].map((v) => inUnit(v, unit));
  };
  const rows = heaviest(links, mostRows).map((link) => [
    nameOf(link.from),
    nameOf(link.to),
    link.transport,
    ...figures(link),
  ]);
  const heads = ['even', 'most', 'hand-over', 'pipeline', 'all-reduce', 'at most'].map(numbers);
  const columns = [words('from'), words('to'), words('by'), ...heads];
  const totals = Object.entries(byTransport)
    .filter(([, traffic]) => traffic.messages > 0)
    .map(([transport, traffic]) => [transport, String(traffic.messages), ...figures(traffic)]);
  return [
    `from worker to worker in a step (${unit.name}; even, most: token dispatch)`,
    [
      ...table(columns, rows, mostRows, links.length, mostLinks),
      '',
      ...table([words('all by'), numbers('messages'), ...heads], totals),
    ],
  ];
}

/** Of more than `most` links those that are worth seeing: the heaviest that leave their worker, in that order. */
export function heaviest(links: readonly Link[], most: number): readonly Link[] {
  if (links.length <= most) return links;
  const weight = (link: Link): number => (link.transport === 'local' ? 0 : mostBytes(link));
  return links.toSorted((a, b) => weight(b) - weight(a)).slice(0, most);
}

const totalOf = ({ parameters, gradients, moments, activations }: SliceMemory): number =>
  parameters + gradients + moments + activations;

const mostBytes = ({ dispatchMost, handOver, pipeline, allReduce }: Traffic): number =>
  dispatchMost + handOver + pipeline + allReduce;

function inMeshOrder<T extends { readonly role: string }>(mesh: Mesh, items: readonly T[]): T[] {
  const order = new Map([...mesh.stages, ...mesh.expertGroups].map(({ role }, at) => [role, at]));
  return items.toSorted((a, b) => order.get(a.role)! - order.get(b.role)!);
}
