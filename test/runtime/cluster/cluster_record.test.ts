/** The name of a cluster belongs to one run at a time, from its start until it has ended or nobody of it beats. */
import { expect, test, vi } from 'vitest';
import { findCluster, foundCluster } from '../../../src/runtime/cluster/cluster_record.ts';
import type { KvEntry } from '../../../src/runtime/cluster/kv_store.ts';
import { MemoryKvStore } from '../../../src/runtime/cluster/memory_kv_store.ts';
import type { VirtualClock } from '../../../src/runtime/testing/index.ts';
import { BEAT_MS, LEASE_MS, memberOf, Scene, type OutageStore } from './scene.ts';

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

test('a claim of nobody that cannot be replaced is told as a damaged store, not as a run that lives', async () => {
  const scene = new Scene();
  (await founding(scene, 'run-1').claim).stop();
  vi.spyOn(scene.store, 'replace').mockResolvedValue(null);
  const refused = expect(founding(scene, 'run-2').claim).rejects.toMatchObject({ tag: 'DamagedStore' });
  await scene.clock.advance(3 * LEASE_MS);
  await refused;
});
