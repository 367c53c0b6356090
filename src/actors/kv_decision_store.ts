/**
 * Decisions in the store that all nodes share: one key a step, created once. An acknowledged write survives a kill of
 * the server; while the server is away, whoever decides waits for it, if the store is a patient one.
 */
import type { KvStore } from '../runtime/cluster/nats.ts';
import type { DecisionStore } from './decision_store.ts';
import { decisionSchema, type Decision } from './protocol/stateful.ts';

export class KvDecisionStore implements DecisionStore {
  private readonly store: KvStore;
  private readonly prefix: string;

  constructor(store: KvStore, runId: string) {
    this.store = store;
    this.prefix = `decision.${runId}`;
  }

  async find(step: number): Promise<Decision | null> {
    const entry = await this.store.find(this.keyOf(step));
    return entry === null ? null : parse(entry.value);
  }

  async decide(proposed: Decision): Promise<Decision> {
    const value = JSON.stringify(proposed);
    const entry = await this.store.createOrGet(this.keyOf(proposed.step), value);
    return parse(entry.value);
  }

  private keyOf(step: number): string {
    return `${this.prefix}.${step}`;
  }
}

const parse = (text: string): Decision => decisionSchema.parse(JSON.parse(text));
