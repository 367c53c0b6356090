/** The class that a run is bound to: one where all round alike, a list where the topology asks for a mixture. */
import { describe, expect, test } from 'vitest';
import { ClassesDiffer, classesOf, classOfRun, type WorkerClass } from '../../src/run/class_of_run.ts';
import { defineTopology } from '../../src/topology/index.ts';

/** Workers as `node choice class`, the class a device and its hash. */
const workersOf = (...words: readonly string[]): WorkerClass[] =>
  words.map((word) => {
    const [node, choice, numerics] = word.split(' ');
    const [device, classHash] = numerics.split('#');
    return { node, choice, numerics: { device, classHash } };
  });

describe('the class of a run', () => {
  test.each([
    ['of one choice is the one of all workers', ['n0 auto cpu#a', 'n1 auto cpu#a'], 'cpu#a'],
    ['of choices that come to the same is that one', ['n0 auto cpu#a', 'n1 cpu cpu#a'], 'cpu#a'],
    ['goes by the hash, not by the name', ['n0 auto cpu/A#a', 'n1 auto cpu/B#a'], 'cpu/A#a'],
    [
      'of choices that differ has all workers in order, those of a kind together',
      ['n0 webgpu:0 gpu#g', 'n0 webgpu:0 gpu#g', 'n1 cpu cpu#c', 'n2 webgpu:0 gpu#g'],
      '2 x gpu#g, 1 x cpu#c, 1 x gpu#g',
    ],
  ])('%s', (_what, words, expected) => {
    expect(classOfRun(workersOf(...words), false)).toBe(expected);
  });

  test.each([
    ['in a run of one choice', ['n0 webgpu gpu#g', 'n1 webgpu gpu#h'], 'gpu#g'],
    [
      'beside another choice',
      ['n0 webgpu gpu#g', 'n1 cpu cpu#c', 'n2 webgpu gpu#h'],
      '1 x gpu#g, 1 x cpu#c, 1 x gpu#h',
    ],
  ])('does not come of one choice that rounds in two ways, %s, unless that is allowed', (_where, words, allowed) => {
    expect(() => classOfRun(workersOf(...words), false)).toThrow(ClassesDiffer);
    expect(classOfRun(workersOf(...words), true)).toBe(allowed);
  });

  test('is refused with the classes of each node', () => {
    const workers = workersOf('n0 auto cpu#a', 'n0 auto cpu#a', 'n1 auto cpu#a', 'n1 auto cpu#b');
    expect(() => classOfRun(workers, false)).toThrow('(n0 cpu#a, n1 cpu#a and cpu#b)');
  });
});

test('workers come in the order of the nodes, whoever registered first, each with its own choice', () => {
  const member = (node: string, ...classes: readonly string[]) => ({
    node,
    runId: 'run',
    incarnation: 1,
    workers: classes.map((device) => ({ device, classHash: device })),
  });
  const { cluster } = defineTopology({
    cluster: { nodes: 2, workers_per_node: 2, device: ['cpu', ['webgpu:0', 'cpu']] },
    optimizer: { warmup_steps: 0 },
  });
  const members = [member('node-1', 'gpu', 'cpu'), member('node-0', 'cpu', 'cpu')];
  expect(
    classesOf(members, ['node-0', 'node-1'], cluster).map((worker) => [
      worker.node,
      worker.choice,
      worker.numerics.device,
    ]),
  ).toEqual([
    ['node-0', 'cpu', 'cpu'],
    ['node-0', 'cpu', 'cpu'],
    ['node-1', 'webgpu:0', 'gpu'],
    ['node-1', 'cpu', 'cpu'],
  ]);
});
