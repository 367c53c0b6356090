/**
 * What goes wrong in a test, written down before it starts: rules that pick messages by receiver, sender, name and count,
 * and say what happens to them. The same seed and the same messages give the same faults.
 */

import { matcher, type Address, type AddressPattern } from '../system/address.ts';
import type { DeliveryFilter, Fault } from '../system/delivery_filter.ts';
import type { Envelope, Kind } from '../system/envelope.ts';
import { unit } from './random.ts';

export interface FaultRule {
  readonly fault: Fault;
  /** The receiver; default any. */
  readonly to?: AddressPattern;
  readonly from?: AddressPattern;
  readonly message?: string;
  /** Default `tell` and `ask`. */
  readonly kinds?: readonly Kind[];
  /** Matching messages let through before the first fault; default 0. */
  readonly skip?: number;
  /** Faults at most; default 1. */
  readonly times?: number;
  /** Chance of each matching message after `skip`; default 1. */
  readonly probability?: number;
}

/** A fault that happened. */
export interface FaultEvent {
  readonly fault: Fault;
  readonly to: Address;
  readonly from: Address;
  readonly message: string;
}

interface Rule {
  readonly options: FaultRule;
  readonly matches: (envelope: Envelope) => boolean;
  seen: number;
  done: number;
}

export class FaultPlan implements DeliveryFilter {
  readonly #seed: number;
  readonly #rules: Rule[];
  /** What has happened so far, in order. */
  readonly events: FaultEvent[] = [];

  constructor(seed: number, rules: readonly FaultRule[]) {
    this.#seed = seed;
    this.#rules = rules.map((options) => ({ options, matches: matcherOf(options), seen: 0, done: 0 }));
  }

  judge(envelope: Envelope): Fault | null {
    const hits = this.#rules.filter((rule, index) => this.#isHit(rule, index, envelope));
    const rule = hits.at(0);
    if (rule === undefined) return null;
    rule.done += 1;
    const { to, from, message } = envelope.route;
    this.events.push({ fault: rule.options.fault, to, from, message });
    return rule.options.fault;
  }

  /** Every rule counts every message it matches, so that rules do not disturb each other. */
  #isHit(rule: Rule, index: number, envelope: Envelope): boolean {
    if (!rule.matches(envelope)) return false;
    const { skip = 0, times = 1, probability = 1 } = rule.options;
    const nth = rule.seen++;
    if (nth < skip || rule.done >= times) return false;
    return probability >= 1 || unit(this.#seed, index, nth) < probability;
  }
}

function matcherOf({ to, from, message, kinds = ['tell', 'ask'] }: FaultRule): (envelope: Envelope) => boolean {
  const isTo = matcher([to ?? '**']);
  const isFrom = matcher([from ?? '**']);
  return ({ route }) =>
    kinds.includes(route.kind) &&
    (message === undefined || message === route.message) &&
    isTo(route.to) &&
    isFrom(route.from);
}
