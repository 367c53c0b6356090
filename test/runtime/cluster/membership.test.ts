import { expect, test, vi } from 'vitest';
import { findCluster, foundCluster } from '../../../src/runtime/cluster/cluster_record.ts';
import { GenRegister } from '../../../src/runtime/cluster/gen_register.ts';
import type { KvEntry } from '../../../src/runtime/cluster/kv_store.ts';
import type { Member } from '../../../src/runtime/cluster/member.ts';
import { KvUnavailable } from '../../../src/runtime/cluster/membership_errors.ts';
import { Membership } from '../../../src/runtime/cluster/membership.ts';
import { MemoryKvStore } from '../../../src/runtime/cluster/memory_kv_store.ts';
import { Registration } from '../../../src/runtime/cluster/registration.ts';
import { VirtualClock } from '../../../src/runtime/testing/index.ts';

const LEASE_MS = 4_000;
const BEAT_MS = 1_000;

/** A store that can be out of reach. */
class OutageStore extends MemoryKvStore {
  isAway = false;

  override list(prefix: string): Promise<readonly KvEntry[]> {
    return this.isAway ? Promise.reject(new KvUnavailable('test', 'away')) : super.list(prefix);
  }
  override replace(key: string, value: string, revision: number): Promise<KvEntry | null> {
    return this.isAway ? Promise.reject(new KvUnavailable('test', 'away')) : super.replace(key, value, revision);
  }
}

/** Reaches the entries of a store that is away for others. */
class Passage extends MemoryKvStore {
  readonly #store: OutageStore;

  constructor(store: OutageStore) {
    super();
    this.#store = store;
  }
  override createOrGet(key: string, value: string): Promise<KvEntry> {
    return this.#store.createOrGet(key, value);
  }
  override replace(key: string, value: string, revision: number): Promise<KvEntry | null> {
    return MemoryKvStore.prototype.replace.call(this.#store, key, value, revision);
  }
}

/** Reads a store for one who waits while it is away. */
class SlowStore extends MemoryKvStore {
  readonly #store: OutageStore;
  readonly #clock: VirtualClock;
  isSlow = false;

  constructor(store: OutageStore, clock: VirtualClock) {
    super();
    this.#store = store;
    this.#clock = clock;
  }
  override createOrGet(key: string, value: string): Promise<KvEntry> {
    return this.#store.createOrGet(key, value);
  }
  override replace(key: string, value: string, revision: number): Promise<KvEntry | null> {
    return MemoryKvStore.prototype.replace.call(this.#store, key, value, revision);
  }
  override async find(key: string): Promise<KvEntry | null> {
    while (this.isSlow) await new Promise<void>((resolve) => this.#clock.after(50, resolve));
    return this.#store.find(key);
  }
}

const noop = (): void => undefined;

const memberOf = (node: string, incarnation = 1, runId = 'run-1'): Member => ({
  node,
  runId,
  incarnation,
  workers: [{ device: 'cpu', classHash: 'abc' }],
});

class Scene {
  readonly clock = new VirtualClock();
  readonly store = new OutageStore();
  readonly told: string[] = [];

  join(member: Member, takeOver = false): Promise<Registration> {
    const { store, clock } = this;
    const onReplaced = ({ message }: Error) => void this.told.push(message);
    return Registration.join({ store, clock, member, beatMs: BEAT_MS, takeOver, onReplaced });
  }

  observe(runId = 'run-1'): Promise<Membership> {
    const { store, clock } = this;
    const events = {
      joined: ({ node, incarnation }: Member) => void this.told.push(`${node}.${incarnation} joined`),
      left: ({ node }: Member) => void this.told.push(`${node} left`),
      died: ({ node, incarnation }: Member) => void this.told.push(`${node}.${incarnation} died`),
      failed: (error: unknown) => void this.told.push(String(error)),
    };
    return Membership.open({ store, clock, runId, leaseMs: LEASE_MS, events });
  }

  /** What was told since the last call. */
  news(): string[] {
    return this.told.splice(0);
  }
}

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

test('of two who raise the gen one succeeds, and both know what stands', async () => {
  const store = new MemoryKvStore();
  const [a, b] = [new GenRegister(store, 'run-1'), new GenRegister(store, 'run-1')];
  expect(await a.current()).toBe(0);
  expect(await Promise.all([a.raise(0), b.raise(0)])).toEqual([
    { gen: 1, isOurs: true },
    { gen: 1, isOurs: false },
  ]);
  expect(await b.raiseTo(7)).toEqual({ gen: 7, isOurs: true });
  expect(await a.raiseTo(5)).toEqual({ gen: 7, isOurs: false });
  expect([await a.current(), await new GenRegister(store, 'run-2').current()]).toEqual([7, 0]);
});

/** A launch of a run: its claim to the name, and whether it has lost it. */
function founding({ store, clock }: Scene, runId: string) {
  const lost: string[] = [];
  const onLost = (): void => void lost.push(runId);
  return { lost, claim: foundCluster({ store, clock, cluster: 'demo', runId, leaseMs: LEASE_MS, onLost }) };
}
const taken = (runId: string): string =>
  `cluster demo: run ${runId} is alive under this name; end it, or set another name in the topology file`;

test('a cluster name is refused while a node of its run beats, and given when none does for a lease', async () => {
  const scene = new Scene();
  const { store, clock } = scene;
  await expect(findCluster(store, 'demo')).rejects.toMatchObject({ tag: 'ClusterMissing' });
  (await founding(scene, 'run-1').claim).stop();
  const node = await scene.join(memberOf('a'));
  const refused = expect(founding(scene, 'run-2').claim).rejects.toThrow(taken('run-1'));
  await clock.advance(LEASE_MS);
  await refused;
  node.stop();
  const given = founding(scene, 'run-2').claim;
  await clock.advance(LEASE_MS);
  (await given).stop();
  expect(await findCluster(store, 'demo')).toBe('run-2');
  expect(await store.list('node')).toEqual([]);
});

test('a cluster name is refused from the start to the end of a run, nodes or not, and free at once when it has ended', async () => {
  const scene = new Scene();
  const first = await founding(scene, 'run-1').claim;
  for (const runId of ['run-2', 'run-1']) {
    const refused = expect(founding(scene, runId).claim).rejects.toThrow(taken('run-1'));
    await scene.clock.advance(LEASE_MS);
    await refused;
  }
  await first.remove();
  await expect(findCluster(scene.store, 'demo')).rejects.toMatchObject({ tag: 'ClusterMissing' });
  const second = await founding(scene, 'run-2').claim;
  expect(await findCluster(scene.store, 'demo')).toBe('run-2');
  second.stop();
});

test('of two launches that find a dead run one gets its name', async () => {
  const scene = new Scene();
  (await founding(scene, 'run-1').claim).stop();
  const claims = Promise.allSettled(['run-2', 'run-3'].map((runId) => founding(scene, runId).claim));
  await scene.clock.advance(LEASE_MS);
  const [given, refused] = await claims;
  expect(refused).toMatchObject({ status: 'rejected', reason: { message: taken('run-2') } });
  if (given.status === 'fulfilled') given.value.stop();
  expect(await findCluster(scene.store, 'demo')).toBe('run-2');
});

test('a run that ends while another waits for its name leaves it to that one', async () => {
  const scene = new Scene();
  const first = await founding(scene, 'run-1').claim;
  const second = founding(scene, 'run-2').claim;
  await scene.clock.settle();
  await first.remove();
  await scene.clock.advance(LEASE_MS);
  (await second).stop();
  expect(await findCluster(scene.store, 'demo')).toBe('run-2');
});

test('a launch that is silent for a lease can lose its name, and learns it', async () => {
  const scene = new Scene();
  const first = founding(scene, 'run-1');
  await first.claim;
  scene.store.isAway = true;
  const second = foundCluster({
    store: new Passage(scene.store),
    clock: scene.clock,
    cluster: 'demo',
    runId: 'run-2',
    leaseMs: LEASE_MS,
    onLost: () => undefined,
  });
  await scene.clock.advance(LEASE_MS);
  const claim = await second;
  scene.store.isAway = false;
  await scene.clock.advance(BEAT_MS);
  expect(first.lost).toEqual(['run-1']);
  claim.stop();
});

test('a live run is seen at its first beat, before a lease has passed', async () => {
  const scene = new Scene();
  const first = await founding(scene, 'run-1').claim;
  const refused = expect(founding(scene, 'run-2').claim).rejects.toThrow(taken('run-1'));
  await scene.clock.advance(2 * BEAT_MS);
  await refused;
  first.stop();
});

test('a run that could not beat because the store was away keeps its name', async () => {
  const scene = new Scene();
  const first = founding(scene, 'run-1');
  const record = await first.claim;
  const { store, clock } = scene;
  const slow = new SlowStore(store, clock);
  const second = foundCluster({ store: slow, clock, cluster: 'demo', runId: 'run-2', leaseMs: LEASE_MS, onLost: noop });
  const refused = expect(second).rejects.toThrow(taken('run-1'));
  await clock.settle();
  // Both lose it before the first beat; who watches gets the answer that it was owed when a lease has long passed.
  store.isAway = true;
  slow.isSlow = true;
  await clock.advance(3 * LEASE_MS);
  slow.isSlow = false;
  await clock.advance(BEAT_MS / 4);
  store.isAway = false;
  await clock.advance(2 * BEAT_MS);
  await refused;
  expect(first.lost).toEqual([]);
  record.stop();
});

test('a claim that seemed to fail and was written is ours', async () => {
  const scene = new Scene();
  (await founding(scene, 'run-1').claim).stop();
  vi.spyOn(scene.store, 'replace').mockImplementationOnce(async (...written) => {
    await MemoryKvStore.prototype.replace.apply(scene.store, written);
    return null;
  });
  const given = founding(scene, 'run-2').claim;
  await scene.clock.advance(2 * LEASE_MS);
  (await given).stop();
  expect(await findCluster(scene.store, 'demo')).toBe('run-2');
});
