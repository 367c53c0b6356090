/**
 * The key-value store in JetStream is one bucket a cluster, in file storage, without history and without expiry, since
 * an outage of the server would expire everything. An acknowledged write survives a kill of the server.
 */

import { jetstream, jetstreamManager, JetStreamApiError, StorageType, type JetStreamManager } from '@nats-io/jetstream';
import { Kvm, type KV, type KvEntry as BucketEntry } from '@nats-io/kv';
import { errors } from 'nats';
import { SystemClock, type Clock } from '../system/clock.ts';
import type { NatsConnection } from '../transport/nats_connection.ts';
import { checkNodeName } from '../transport/nats_subject.ts';
import { MOST_TRIES, type KvEntry, type KvStore } from './kv_store.ts';
import { DamagedStore, KvBucketGone, KvUnavailable } from './membership_errors.ts';

/** "wrong last sequence": another revision stands. */
const STALE = 10_071;

/** "stream not found". */
const MISSING = 10_059;

/** "subjects overlap with an existing stream": a foreign one, or our own, which another client makes at this moment. */
const OVERLAP = 10_065;

/** A request that an outage swallowed is not waited for longer: a beat has to come within its lease. */
const TIMEOUT_MS = 1_000;

/** How often the bucket is asked for, and the pause between. Nothing beats yet: a busy server may take its time. */
const OPEN_TRIES = 10;
const OPEN_PAUSE_MS = 100;

export class NatsKvStore implements KvStore {
  readonly #bucket: KV;
  readonly #streams: JetStreamManager['streams'];
  readonly #name: string;

  private constructor(name: string, bucket: KV, streams: JetStreamManager['streams']) {
    this.#name = name;
    this.#bucket = bucket;
    this.#streams = streams;
  }

  /** Opens the bucket of `cluster`, and makes it if there is none. Throws `InvalidNodeName`, `KvUnavailable`. */
  static async open(
    { client, url }: NatsConnection,
    cluster: string,
    clock: Clock = new SystemClock(),
  ): Promise<NatsKvStore> {
    const name = `troupe_${checkNodeName('cluster', cluster)}`;
    const options = { timeout: TIMEOUT_MS };
    for (let tries = 1; ; tries += 1) {
      try {
        const bucket = await new Kvm(jetstream(client, options)).create(name, {
          history: 1,
          storage: StorageType.File,
        });
        return new NatsKvStore(name, bucket, (await jetstreamManager(client, options)).streams);
      } catch (error) {
        if (tries === OPEN_TRIES || !mayPass(error)) throw new KvUnavailable(`${name} at ${url}`, error);
      }
      await new Promise<void>((resolve) => clock.after(OPEN_PAUSE_MS, resolve));
    }
  }

  async find(key: string): Promise<KvEntry | null> {
    const entry = await this.#tried(() => this.#bucket.get(key));
    return entry?.operation === 'PUT' ? toEntry(entry) : null;
  }

  async createOrGet(key: string, value: string): Promise<KvEntry> {
    for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
      const revision = await this.#unlessStale(() => this.#bucket.create(key, value));
      if (revision !== null) return { key, value, revision };
      const standing = await this.find(key);
      // Null: it was there, and was removed since.
      if (standing !== null) return standing;
    }
    throw new DamagedStore(key, 'it cannot be created, since it is there, and cannot be read');
  }

  async replace(key: string, value: string, revision: number): Promise<KvEntry | null> {
    const written = await this.#unlessStale(() => this.#bucket.update(key, value, revision));
    return written === null ? null : { key, value, revision: written };
  }

  async remove(key: string, revision: number): Promise<boolean> {
    const removed = await this.#unlessStale(async () => {
      await this.#bucket.delete(key, { previousSeq: revision });
      return true;
    });
    return removed ?? false;
  }

  async keys(prefix: string): Promise<readonly string[]> {
    const subject = `$KV.${this.#name}.`;
    const filter = { subjects_filter: `${subject}${prefix}.*` };
    const { state } = await this.#tried(() => this.#streams.info(`KV_${this.#name}`, filter));
    const subjects = Object.keys(state.subjects ?? {});
    return subjects.map((name) => name.slice(subject.length)).sort();
  }

  async list(prefix: string): Promise<readonly KvEntry[]> {
    const keys = await this.keys(prefix);
    const entries = await Promise.all(keys.map((key) => this.find(key)));
    return entries.filter((entry) => entry !== null);
  }

  async #unlessStale<T>(write: () => Promise<T>): Promise<T | null> {
    return this.#tried(async () => {
      try {
        return await write();
      } catch (error) {
        if (error instanceof JetStreamApiError && error.code === STALE) return null;
        throw error;
      }
    });
  }

  async #tried<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw (await this.#isGone(error)) ? new KvBucketGone(this.#name) : new KvUnavailable(this.#name, error);
    }
  }

  /** Whether the bucket was removed. It is asked in vain then, as with a server that is away: only the server can tell. */
  async #isGone(error: unknown): Promise<boolean> {
    if (error instanceof JetStreamApiError) return error.code === MISSING;
    try {
      await this.#streams.info(`KV_${this.#name}`);
      return false;
    } catch (second) {
      return second instanceof JetStreamApiError && second.code === MISSING;
    }
  }
}

/** Whether asking for the bucket again may go better. */
const mayPass = (error: unknown): boolean =>
  error instanceof errors.TimeoutError || (error instanceof JetStreamApiError && error.code === OVERLAP);

const toEntry = (entry: BucketEntry): KvEntry => ({
  key: entry.key,
  value: entry.string(),
  revision: entry.revision,
});
