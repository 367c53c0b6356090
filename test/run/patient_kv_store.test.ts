/** A patient store waits for a server that is away, but not for ever. */
import { expect, it } from 'vitest';
import { PatientKvStore } from '../../src/run/patient_kv_store.ts';
import { DamagedRecord, KvUnavailable, MemoryKvStore, type KvEntry } from '../../src/runtime/cluster/nats.ts';
import { VirtualClock } from '../../src/runtime/testing/index.ts';

/** Fails each call with `error`, if there is one. */
class FailingStore extends MemoryKvStore {
  error: Error | null = new KvUnavailable('test', 'away');
  calls = 0;

  override find(key: string): Promise<KvEntry | null> {
    this.calls += 1;
    return this.error === null ? super.find(key) : Promise.reject(this.error);
  }
}

function scene() {
  const clock = new VirtualClock();
  const store = new FailingStore();
  const over = new AbortController();
  return { clock, store, over, patient: new PatientKvStore(store, clock, over.signal) };
}

it('answers when the server is back, however long it was away', async () => {
  const { clock, store, patient } = scene();
  const { revision } = await patient.createOrGet('a', '1');
  const found = patient.find('a');
  await clock.advance(3_600_000);
  store.error = null;
  await clock.advance(200);
  expect(await found).toEqual({ key: 'a', value: '1', revision });
});

it('waits no longer once all is over, also in the middle of a pause, and says that the server is away', async () => {
  const { clock, store, over, patient } = scene();
  const found = expect(patient.find('a')).rejects.toMatchObject({ tag: 'KvUnavailable' });
  await clock.settle();
  over.abort();
  await found;
  await expect(patient.find('a')).rejects.toMatchObject({ tag: 'KvUnavailable' });
  expect(store.calls).toBe(2);
});

it('waits no longer than it is told to', async () => {
  const { clock, store, over } = scene();
  const patient = new PatientKvStore(store, clock, over.signal, 1_000);
  const found = expect(patient.find('a')).rejects.toMatchObject({ tag: 'KvUnavailable' });
  await clock.advance(1_000);
  await found;
  expect(store.calls).toBe(6);
});

it('passes on what is wrong otherwise', async () => {
  const { store, patient } = scene();
  store.error = new DamagedRecord('a', 'no record', '');
  await expect(patient.find('a')).rejects.toBe(store.error);
});

it('looks until there is something, or until all is over', async () => {
  const { clock, store, over, patient } = scene();
  store.error = null;
  const value = patient.awaited(() => patient.find('a'));
  const nothing = patient.awaited(() => patient.find('b'));
  await clock.advance(1_000);
  await store.createOrGet('a', '1');
  await clock.advance(20);
  expect((await value)?.value).toBe('1');
  over.abort();
  expect(await nothing).toBeNull();
});
