/** What a fault proxy has done, by kind: to be asserted, so that a test whose faults never came fails, and to be awaited. */

import type { WireFault } from './wire_plan.ts';

/** The faults of a plan, a connection turned away, a message put in. */
export type Deed = WireFault['kind'] | 'refuse' | 'inject';

interface Waiting {
  readonly deed: Deed;
  readonly count: number;
  readonly resolve: () => void;
}

export class FaultCounter {
  readonly #counts = new Map<Deed, number>();
  #waiting: Waiting[] = [];

  of(deed: Deed): number {
    return this.#counts.get(deed) ?? 0;
  }

  add(deed: Deed, count = 1): void {
    this.#counts.set(deed, this.of(deed) + count);
    const isDue = (each: Waiting): boolean => this.of(each.deed) >= each.count;
    const due = this.#waiting.filter(isDue);
    this.#waiting = this.#waiting.filter((each) => !isDue(each));
    for (const { resolve } of due) resolve();
  }

  /** Resolves when `deed` has been done that often, all told. */
  reached(deed: Deed, count: number): Promise<void> {
    if (this.of(deed) >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ deed, count, resolve }));
  }
}
