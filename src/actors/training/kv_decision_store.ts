/**
 * The KV decision store keeps decisions in the store that all nodes share: one key a step of a timeline, created once. An
 * acknowledged write survives a kill of the server; while the server is away, whoever decides waits for it, if the
 * store is a patient one. A record that is not a decision about its step, made in a gen that has been, is followed by
 * nobody. Keys of timeline 0 do not name it: the first releases knew no other, and a step must not have two keys.
 */
import { DamagedRecord, parseRecord, type KvEntry, type KvStore } from '../../runtime/cluster/nats.ts';
import { faultOf, highestOf, type DecisionStore } from './decision_store.ts';
import { storedDecisionSchema, type Decision } from '../protocol/decision.ts';
import type { TimelinePlace } from './timeline.ts';

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
  async find(timeline: number, step: number): Promise<Decision | null> {
    const place = { timeline, step };
    const entry = await this.store.find(this.keyOf(place));
    return entry === null ? null : this.parse(entry, place);
  }

  /** By the keys alone: what they stand for is checked where it is followed. Throws `KvUnavailable`. */
  async newest(timeline: number): Promise<number | null> {
    const prefix = this.prefixOf(timeline);
    const keys = await this.store.keys(prefix);
    return highestOf(keys.map((key) => Number(key.slice(prefix.length + 1))).filter(Number.isSafeInteger));
  }

  /** Throws `DamagedRecord`, `KvUnavailable`. */
  async decide(proposed: Decision): Promise<Decision> {
    const entry = await this.store.createOrGet(this.keyOf(proposed), JSON.stringify(proposed));
    return this.parse(entry, proposed);
  }

  private keyOf({ timeline, step }: TimelinePlace): string {
    return `${this.prefixOf(timeline)}.${step}`;
  }

  private prefixOf(timeline: number): string {
    return timeline === 0 ? this.prefix : `${this.prefix}.${timeline}`;
  }

  private parse(entry: KvEntry, { timeline, step }: TimelinePlace): Decision {
    const decision = parseRecord(storedDecisionSchema, entry, 'decision');
    const gen = this.gen();
    const fault =
      decision.step !== step
        ? `no decision of step ${step}`
        : decision.timeline !== timeline
          ? `no decision of timeline ${timeline}`
          : decision.gen > gen
            ? `no decision of a gen up to ${gen}`
            : faultOf(decision);
    if (fault !== null) throw new DamagedRecord(entry.key, fault, entry.value);
    return decision;
  }
}
