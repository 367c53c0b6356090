/**
 * Carries out what a delivery filter ordered: drops, repeats, delays and swaps deliveries. Nothing of this runs without
 * a filter.
 */

import type { Address } from './address.ts';
import type { Clock } from './clock.ts';
import type { Counters } from './counters.ts';
import type { Delivery } from './delivery.ts';
import type { DeliveryFilter } from './delivery_filter.ts';

export interface FaultPorts {
  readonly admit: (delivery: Delivery) => void;
  readonly kill: (address: Address) => void;
}

export class Faults {
  readonly #filter: DeliveryFilter;
  readonly #clock: Clock;
  readonly #counters: Counters;
  /** What lets the next delivery to the same actor pass first. */
  readonly #overtaken = new Map<Address, () => void>();

  constructor(filter: DeliveryFilter, clock: Clock, counters: Counters) {
    this.#filter = filter;
    this.#clock = clock;
    this.#counters = counters;
  }

  /** Judges `delivery` and has it admitted now, later, twice or not at all. */
  apply(delivery: Delivery, { admit, kill }: FaultPorts): void {
    const { to } = delivery.route;
    const fault = this.#filter.judge(delivery);
    if (fault !== null) this.#counters.faults += 1;
    switch (fault?.kind) {
      case 'drop':
        delivery.lease?.release();
        return;
      case 'delay':
        this.#clock.after(fault.ms, () => admit(delivery));
        return;
      case 'reorder':
        this.#hold(to, fault.ms, () => admit(delivery));
        return;
      case 'kill':
        kill(to);
        break;
      case 'duplicate':
        delivery.lease?.retain();
        admit(delivery);
        break;
      case undefined:
        break;
    }
    admit(delivery);
    this.#overtaken.get(to)?.();
  }

  #hold(to: Address, ms: number, admit: () => void): void {
    this.#overtaken.get(to)?.();
    const release = () => {
      timer.cancel();
      this.#overtaken.delete(to);
      admit();
    };
    const timer = this.#clock.after(ms, release);
    this.#overtaken.set(to, release);
  }
}
