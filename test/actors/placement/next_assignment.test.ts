/** The next assignment of a run follows from the nodes that are there, and from nothing else. */
import { expect, it } from 'vitest';
import { goneSince, nextAssignment, rolesOf, type LivingNode } from '../../../src/actors/placement/next_assignment.ts';
import { drawn, smallTopology } from '../kit.ts';

const runSpec = await drawn(
  smallTopology({
    'parallelism.data_parallel': 2,
    'parallelism.expert_parallel': 2,
    'parallelism.pipeline_parallel': 2,
  }),
);
const writer = { node: 'launcher', incarnation: 7 };
const node = (index: number, incarnation = 1, workers = 1): LivingNode => ({
  node: `node-${index}`,
  incarnation,
  workers,
});
const of = (gen: number, ...nodes: LivingNode[]) => nextAssignment(runSpec, gen, nodes, writer);

it('has all roles once, whoever is there, and the first node by name leads', () => {
  const all = Object.keys(of(1, node(0)).placement).sort();
  for (const nodes of [[node(1), node(0)], [node(10), node(9, 3), node(2, 1, 2)], [node(4)]]) {
    const assignment = of(2, ...nodes);
    expect(assignment.systems.flatMap((system) => rolesOf(assignment, system)).sort()).toEqual(all);
    expect(assignment.leader).toBe(assignment.nodes[0]);
  }
  expect(of(1, node(10), node(9), node(2)).nodes).toEqual(['node-2', 'node-9', 'node-10']);
});

it('does not depend on the order in which nodes have come', () => {
  expect(of(3, node(1), node(0), node(2))).toEqual(of(3, node(2), node(0), node(1)));
});

it('gives a node that was started again what it had, and the others what they have', () => {
  const before = of(1, node(0), node(1));
  const after = of(2, node(0), node(1, 2));
  expect(after.placement).toEqual(before.placement);
  expect(goneSince(before, after)).toEqual(['node-1']);
});

it('knows who is gone: those that are missing, and those in another life', () => {
  const before = of(1, node(0), node(1), node(2));
  expect(goneSince(before, of(2, node(0), node(2), node(3)))).toEqual(['node-1']);
  expect(goneSince(before, before)).toEqual([]);
});

it('is of the writer in its life too', () => {
  expect(of(1, node(0, 5)).incarnations).toEqual({ 'node-0': 5, launcher: 7 });
});
