/** The microbatches that are with a router, between the rows that its stage hands over and the last message about them. */
import { keyOf, type Unit } from '../protocol/pass.ts';
import type { Routing } from './admission.ts';
import type { RouterContext } from './router_context.ts';

/** A microbatch that has been routed. */
export interface Routed {
  readonly unit: Unit;
  readonly tokens: number;
  readonly slots: number;
  readonly context: RouterContext;
  readonly routing: Routing;
  /** Groups whose rows have not come back. */
  owing: Set<number>;
  /** What the gradients on the way back are multiplied by; null on the way forward. */
  lossScale: number | null;
  /** Whether the gradient has gone back through the gates. */
  areGatesBack: boolean;
}

export class RoutedMicrobatches {
  private readonly owner: string;
  private readonly contexts: readonly RouterContext[];
  private idle: RouterContext[];
  private readonly known = new Map<string, Routed>();

  /** `contexts`: memory, one for each microbatch that may be here at once; `owner`: the router's address. */
  constructor(contexts: readonly RouterContext[], owner: string) {
    this.contexts = contexts;
    this.owner = owner;
    this.idle = [...contexts];
  }

  /** Memory for one more. Throws where more are under way than there is memory for. */
  take(): RouterContext {
    const context = this.idle.pop();
    if (context === undefined) throw new Error(`${this.owner}: more microbatches under way than contexts`);
    return context;
  }

  add(routed: Omit<Routed, 'lossScale' | 'areGatesBack'>): void {
    this.known.set(keyOf(routed.unit), { ...routed, lossScale: null, areGatesBack: false });
  }

  /** Throws for one that was not routed here. */
  find(unit: Unit): Routed {
    const routed = this.known.get(keyOf(unit));
    if (routed === undefined) throw new Error(`${this.owner}: ${keyOf(unit)} was not routed here`);
    return routed;
  }

  /** The microbatch that a group answers for; the group owes no more. Throws where it owes nothing. */
  owed(unit: Unit, group: number): Routed {
    const routed = this.find(unit);
    if (!routed.owing.delete(group)) {
      throw new Error(`${this.owner}: rows of ${keyOf(unit)} from group ${group}, which owes none`);
    }
    return routed;
  }

  /** Those on their way back whose gradient has not gone through the gates, in order. */
  beforeGates(): Routed[] {
    const waiting = [...this.known.values()].filter((routed) => routed.lossScale !== null && !routed.areGatesBack);
    return waiting.sort((a, b) => a.unit.microbatch - b.unit.microbatch);
  }

  /** It has gone, and its memory is free. */
  end({ unit, context }: Routed): void {
    this.known.delete(keyOf(unit));
    this.idle.push(context);
  }

  clear(): void {
    this.known.clear();
    this.idle = [...this.contexts];
  }
}
