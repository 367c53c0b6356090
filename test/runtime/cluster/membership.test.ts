/** Who is in a cluster: nodes join, stay while they beat, leave, die, and are removed. */
import { expect, test } from 'vitest';
import { BEAT_MS, LEASE_MS, memberOf, Scene } from './scene.ts';

test('nodes that beat stay, one that stops beating dies after a lease, one that leaves is gone at once', async () => {
  const scene = new Scene();
  const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((node) => scene.join(memberOf(node))));
  const membership = await scene.observe();
  expect(scene.news()).toEqual(['a.1 joined', 'b.1 joined', 'c.1 joined']);
  await scene.clock.advance(60_000);
  expect(scene.news()).toEqual([]);
  b.stop();
  await scene.clock.advance(LEASE_MS - BEAT_MS);
  expect(scene.news()).toEqual([]);
  await scene.clock.advance(2 * BEAT_MS);
  expect(scene.news()).toEqual(['b.1 died']);
  expect(membership.alive.map(({ node }) => node)).toEqual(['a', 'c']);
  await c.leave();
  await scene.clock.advance(BEAT_MS);
  expect(scene.news()).toEqual(['c left']);
  membership.stop();
  a.stop();
});

test('while the store is away nobody dies, however long it takes', async () => {
  const scene = new Scene();
  const a = await scene.join(memberOf('a'));
  const b = await scene.join(memberOf('b'));
  const membership = await scene.observe();
  scene.news();
  scene.store.isAway = true;
  await scene.clock.advance(10 * LEASE_MS);
  scene.store.isAway = false;
  b.stop();
  await scene.clock.advance(LEASE_MS - BEAT_MS);
  expect(scene.news()).toEqual([]);
  await scene.clock.advance(2 * BEAT_MS);
  expect(scene.news()).toEqual(['b.1 died']);
  membership.stop();
  a.stop();
});

test('a name in use is refused, unless it is taken over; then the former process learns it and ends', async () => {
  const scene = new Scene();
  const former = await scene.join(memberOf('a', 1));
  await expect(scene.join(memberOf('a', 2))).rejects.toMatchObject({ tag: 'NodeNameTaken' });
  const membership = await scene.observe();
  const latter = await scene.join(memberOf('a', 2), true);
  await scene.clock.advance(BEAT_MS);
  expect(scene.news().toSorted()).toEqual([
    'a.1 died',
    'a.1 joined',
    'a.2 joined',
    'node a: it was removed or another process took its name; end this one and join anew',
  ]);
  await scene.clock.advance(10 * LEASE_MS);
  expect(scene.news()).toEqual([]);
  former.stop();
  latter.stop();
  membership.stop();
});

test('a node that was removed does not come back by itself', async () => {
  const scene = new Scene();
  await scene.join(memberOf('a'));
  const membership = await scene.observe();
  await membership.remove('a');
  await scene.clock.advance(2 * BEAT_MS);
  expect(scene.news().toSorted()).toEqual([
    'a left',
    'a.1 joined',
    'node a: it was removed or another process took its name; end this one and join anew',
  ]);
  membership.stop();
});

test('records of another run are not seen', async () => {
  const scene = new Scene();
  const stray = await scene.join(memberOf('stray', 1, 'run-0'));
  const membership = await scene.observe();
  expect(scene.news()).toEqual([]);
  stray.stop();
  membership.stop();
});

test('a record that no version of ours wrote is refused by its key', async () => {
  const scene = new Scene();
  await scene.store.createOrGet('node.x', '{"node":1}');
  await expect(scene.observe()).rejects.toThrow(/^key node\.x: no member \(/);
});

test('one that appears later is told once, and ends the polling', async () => {
  const scene = new Scene();
  await scene.observe();
  await scene.store.createOrGet('node.x', '{"node":1}');
  await scene.clock.advance(10 * LEASE_MS);
  expect(scene.news()).toEqual([expect.stringMatching(/^DamagedRecord: key node\.x: no member \(/)]);
});
