/** The gen never goes back, and a store that contradicts itself is named instead of asked for ever. */
import { expect, test } from 'vitest';
import { GenRegister } from '../../../src/runtime/cluster/gen_register.ts';
import type { KvEntry } from '../../../src/runtime/cluster/kv_store.ts';
import { MemoryKvStore } from '../../../src/runtime/cluster/memory_kv_store.ts';
import { Registration } from '../../../src/runtime/cluster/registration.ts';
import { VirtualClock } from '../../../src/runtime/testing/index.ts';

/** Shows every record, and refuses to replace any, as nats-server does over files of which some bytes are others. */
class StubbornStore extends MemoryKvStore {
  tries = 0;

  override replace(): Promise<KvEntry | null> {
    this.tries += 1;
    return Promise.resolve(null);
  }
}

/** Takes each record for the first, as nats-server does when its files tell no keys any more. */
class ForgetfulStore extends StubbornStore {
  override createOrGet(key: string, value: string): Promise<KvEntry> {
    return Promise.resolve({ key, value, revision: this.tries });
  }
}

const wayOn =
  'move nats/ of the run directory aside (on a server of your own: delete the bucket), then continue with --resume';

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

test('a store that shows a gen and never replaces it is damaged, which is found at the second try', async () => {
  const store = new StubbornStore();
  const refused = expect(new GenRegister(store, 'run-1').raiseTo(7)).rejects;
  await refused.toMatchObject({
    tag: 'DamagedStore',
    message: `the NATS store is damaged: key gen.run-1: revision 1 stands and cannot be replaced; ${wayOn}`,
  });
  expect(store.tries).toBe(1);
});

test('so is one that takes each gen for the first, which is found after a few tries', async () => {
  const refused = expect(new GenRegister(new ForgetfulStore(), 'run-1').raiseTo(7)).rejects;
  await refused.toMatchObject({
    tag: 'DamagedStore',
    message: `the NATS store is damaged: key gen.run-1: none of 50 revisions that stood could be replaced; ${wayOn}`,
  });
});

test('so is one that shows a registration and never replaces it', async () => {
  const store = new StubbornStore();
  await store.createOrGet('node.a', '{}');
  const member = { node: 'a', runId: 'run-1', incarnation: 1, workers: [] };
  const clock = new VirtualClock();
  const joined = Registration.join({ store, clock, member, beatMs: 1, takeOver: true, onReplaced: () => undefined });
  await expect(joined).rejects.toMatchObject({ tag: 'DamagedStore' });
});

test('a gen that went back, since somebody removed or wrote it, is refused', async () => {
  const store = new MemoryKvStore();
  const register = new GenRegister(store, 'run-1');
  await register.raiseTo(5);
  const { revision = 0 } = (await store.find('gen.run-1')) ?? {};
  await store.remove('gen.run-1', revision);
  await expect(register.raise(5)).rejects.toMatchObject({
    tag: 'DamagedRecord',
    message: `key gen.run-1: no gen from 5 on, but '0'; run the same version on all nodes, or ${wayOn}`,
  });
});
