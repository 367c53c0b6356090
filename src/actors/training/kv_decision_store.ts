/**
 * The KV decision store keeps decisions in the store that all nodes share: one key a step, created once. An
 * acknowledged write survives a kill of the server; while the server is away, whoever decides waits for it, if the
 * store is a patient one. A record that is not a decision about its step, made in a gen that has been, is followed by
 * nobody.
 */
import { DamagedRecord, parseRecord, type KvEntry, type KvStore } from '../../runtime/cluster/nats.ts';
import { faultOf, highestOf, type DecisionStore } from './decision_store.ts';
import { decisionSchema, type Decision } from '../protocol/parameters.ts';

export class KvDecisionStore implements DecisionStore {
  private readonly store: KvStore;
  private readonly prefix: string;
  private readonly gen: () => number;

  /** `gen`: the gen that stands now, above which none can have been decided. */
  constructor(store: KvStore, runId: string, gen: () => number) {
    this.store = store;
    this.prefix = `decision.${runId}`;
    this.gen = gen;
  }

  /** Throws `DamagedRecord`, `KvUnavailable`. */
  async find(step: number): Promise<Decision | null> {
    const entry = await this.store.find(this.keyOf(step));
    return entry === null ? null : this.parse(entry, step);
  }

  /** By the keys alone: what they stand for is checked where it is followed. Throws `KvUnavailable`. */
  async newest(): Promise<number | null> {
    const keys = await this.store.keys(this.prefix);
    return highestOf(keys.map((key) => Number(key.slice(this.prefix.length + 1))).filter(Number.isSafeInteger));
  }

  /** Throws `DamagedRecord`, `KvUnavailable`. */
  async decide(proposed: Decision): Promise<Decision> {
    const value = JSON.stringify(proposed);
    const entry = await this.store.createOrGet(this.keyOf(proposed.step), value);
    return this.parse(entry, proposed.step);
  }

  private keyOf(step: number): string {
    return `${this.prefix}.${step}`;
  }

  private parse(entry: KvEntry, step: number): Decision {
    const decision = parseRecord(decisionSchema, entry, 'decision');
    const gen = this.gen();
    const fault =
      decision.step !== step
        ? `no decision of step ${step}`
        : decision.gen > gen
          ? `no decision of a gen up to ${gen}`
          : faultOf(decision);
    if (fault !== null) throw new DamagedRecord(entry.key, fault, entry.value);
    return decision;
  }
}
