/** Who is taken in and who is drained, as decided from what the cluster's store says. */
import { expect, it } from 'vitest';
import { MemoryKvStore, type Member } from '../../src/runtime/cluster/nats.ts';
import { requestDrain, takeDrainRequests } from '../../src/run/drain_request.ts';
import { JoinedNodes } from '../../src/run/joined_nodes.ts';
import { openRunOf } from '../../src/run/run_facts.ts';

const member = (node: string, incarnation = 1, classHash = 'a'): Member => ({
  node,
  runId: 'run',
  incarnation,
  workers: [{ device: 'cpu', classHash }],
});

function nodesOf(classes: ReadonlySet<string> | null = new Set(['a'])) {
  const said: string[] = [];
  return { said, nodes: new JoinedNodes({ classes, own: ['node-0'], notice: (text) => said.push(text) }) };
}

it('a node is taken in once a life, and those of the launcher are not', () => {
  const { nodes } = nodesOf();
  expect(nodes.take(member('node-0'))).toBeNull();
  expect(nodes.take(member('node-1'))).toBe('node-1 joins with 1 worker');
  expect(nodes.take(member('node-1'))).toBeNull();
  expect(nodes.lives).toEqual([{ node: 'node-1', incarnation: 1 }]);
  expect(nodes.lose({ node: 'node-1', incarnation: 2 })).toBe(false);
  expect(nodes.lose({ node: 'node-1', incarnation: 1 })).toBe(true);
  expect(nodes.take(member('node-1'))).toBeNull();
  expect(nodes.take(member('node-1', 2))).toBe('node-1 joins with 1 worker');
});

it('one that rounds otherwise is left out with a word, unless any will do', () => {
  const strict = nodesOf();
  expect(strict.nodes.take(member('node-1', 1, 'b'))).toBeNull();
  expect(strict.said).toEqual([
    'node-1: not taken in, it rounds differently (cpu); set recovery.allow_class_change=true',
  ]);
  expect(nodesOf(null).nodes.take(member('node-1', 1, 'b'))).toBe('node-1 joins with 1 worker');
});

it('one that is drained stays until all roles are elsewhere, and may come again', () => {
  const { nodes } = nodesOf();
  nodes.take(member('node-1'));
  expect(nodes.drain('node-1')).toBe('node-1 is drained');
  expect(nodes.drain('node-1')).toBeNull();
  expect(nodes.lives).toEqual([]);
  expect(nodes.dismissed()).toEqual(['node-1']);
  expect(nodes.dismissed()).toEqual([]);
  nodes.take(member('node-1', 2));
  expect(nodes.lives).toEqual([{ node: 'node-1', incarnation: 2 }]);
});

it('requests to drain are taken up once, and those of other runs are removed', async () => {
  const store = new MemoryKvStore();
  await requestDrain(store, 'before', 'node-2');
  await requestDrain(store, 'run', 'node-1');
  await requestDrain(store, 'run', 'node-1');
  expect(await takeDrainRequests(store, 'run')).toEqual(['node-1']);
  expect(await takeDrainRequests(store, 'run')).toEqual([]);
});

it('a run of another version is refused by both, and one that is not open is none', async () => {
  const store = new MemoryKvStore();
  expect(await openRunOf(store, 'mine', 'run')).toBeNull();
  await store.createOrGet('open.run', JSON.stringify({ version: '9.9.9', classes: [], facts: {} }));
  await expect(openRunOf(store, 'mine', 'run')).rejects.toThrow(
    /^cluster mine: its run is of troupe 9\.9\.9, this is \d+\.\d+\.\d+; install that version here$/,
  );
});
