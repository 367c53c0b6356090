/**
 * What goes wrong on the wire, written down before it starts: the `FaultPlan` of messages between clients and a NATS
 * server. Rules pick messages by subject, direction and count. The same seed and the same messages give the same faults;
 * where the order of links may vary, give each link a rule of its own.
 */

import { mix, unit } from '../../../src/runtime/testing/random.ts';
import type { NatsPiece } from './nats_parser.ts';

/**
 * `delay` holds a message for `ms`, or until that many later ones of its subject and connection have passed; `reorder` is
 * a delay by one message. `corrupt` flips a bit of the payload. `cut` ends the connection in place of the message.
 * `freeze` stops all bytes of all connections, this message first, for `ms`.
 */
export type WireFault =
  | { readonly kind: 'drop' }
  | { readonly kind: 'corrupt' }
  | { readonly kind: 'cut' }
  | { readonly kind: 'duplicate'; readonly copies?: number }
  | { readonly kind: 'delay'; readonly ms: number; readonly messages?: number }
  | { readonly kind: 'reorder'; readonly ms: number }
  | { readonly kind: 'freeze'; readonly ms: number };

/** Whom a message is under way to. */
export type Towards = 'client' | 'server';

export interface WireRule {
  readonly fault: WireFault;
  /** As in NATS: `*` stands for one word, `>` for the rest. */
  readonly subject: string;
  /** Default `client`. */
  readonly towards?: Towards;
  /** Matching messages let through before the first fault; default 0. */
  readonly skip?: number;
  /** Faults at most; default 1. */
  readonly times?: number;
  /** Chance of each matching message after `skip`; default 1. */
  readonly probability?: number;
}

/** A fault that is to happen, with a random u32 for what it leaves open. */
export interface WireEvent {
  readonly fault: WireFault;
  readonly towards: Towards;
  readonly subject: string;
  readonly draw: number;
}

interface Rule {
  readonly options: WireRule;
  readonly isSubject: RegExp;
  seen: number;
  done: number;
}

export class WirePlan {
  readonly #seed: number;
  readonly #rules: Rule[];
  /** What has happened so far, in order. */
  readonly events: WireEvent[] = [];

  constructor(seed: number, rules: readonly WireRule[]) {
    this.#seed = seed;
    this.#rules = rules.map((options) => ({ options, isSubject: toRegExp(options.subject), seen: 0, done: 0 }));
  }

  /** The fault for this message, or null to let it through. To be called once a message. */
  judge(towards: Towards, message: NatsPiece): WireEvent | null {
    const { subject } = message;
    if (subject === null) return null;
    const hits = this.#rules.map((rule, index) => this.#hit(rule, index, towards, subject, message.payloadBytes));
    const index = hits.findIndex((draw) => draw !== null);
    const draw = hits.at(index) ?? null;
    if (index === -1 || draw === null) return null;
    const rule = this.#rules[index];
    rule.done += 1;
    const event = { fault: rule.options.fault, towards, subject, draw };
    this.events.push(event);
    return event;
  }

  /** Every rule counts every message it matches, so that rules do not disturb each other. */
  #hit(rule: Rule, index: number, towards: Towards, subject: string, payloadBytes: number): number | null {
    const { fault, skip = 0, times = 1, probability = 1 } = rule.options;
    if (towards !== (rule.options.towards ?? 'client') || !rule.isSubject.test(subject)) return null;
    // There is no bit to flip.
    if (fault.kind === 'corrupt' && payloadBytes === 0) return null;
    const nth = rule.seen++;
    if (nth < skip || rule.done >= times) return null;
    if (probability < 1 && unit(this.#seed, index, nth) >= probability) return null;
    return mix(this.#seed, index, nth, 1);
  }
}

function toRegExp(subject: string): RegExp {
  const words = subject.split('.').map((word) => {
    if (word === '*') return '[^.]+';
    return word === '>' ? '.+' : word.replace(/[*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${words.join('\\.')}$`);
}
