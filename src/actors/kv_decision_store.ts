/**
 * Decisions in the store that all nodes share: one key a step, created once. An acknowledged write survives a kill of
 * the server; while the server is away, whoever decides waits for it.
 */
import type { Clock } from '../runtime/index.ts';
import type { KvStore } from '../runtime/cluster/nats.ts';
import type { DecisionStore } from './decision_store.ts';
import { whenAvailable } from './patient_store.ts';
import { decisionSchema, type Decision } from './protocol/stateful.ts';

export class KvDecisionStore implements DecisionStore {
  private readonly store: KvStore;
  private readonly clock: Clock;
  private readonly prefix: string;

  constructor(store: KvStore, clock: Clock, runId: string) {
    this.store = store;
    this.clock = clock;
    this.prefix = `decision.${runId}`;
  }

  async find(step: number): Promise<Decision | null> {
    const entry = await whenAvailable(this.clock, () => this.store.find(this.keyOf(step)));
    return entry === null ? null : parse(entry.value);
  }

  async decide(proposed: Decision): Promise<Decision> {
    const value = JSON.stringify(proposed);
    const entry = await whenAvailable(this.clock, () => this.store.createOrGet(this.keyOf(proposed.step), value));
    return parse(entry.value);
  }

  private keyOf(step: number): string {
    return `${this.prefix}.${step}`;
  }
}

const parse = (text: string): Decision => decisionSchema.parse(JSON.parse(text));
