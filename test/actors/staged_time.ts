/**
 * Staged time is virtual time for a run in which some actors are slow: such an actor takes its messages with rows one at a time,
 * each for so many milliseconds, and all else takes none. Time moves only where nothing else can happen, so what a step
 * took, and who waited for whom, are exact numbers.
 */
import { vi, type MockInstance } from 'vitest';
import { JobQueue } from '../../src/kernels/cpu/job_queue.ts';
import type { Address, DeliveryFilter, Envelope, Fault } from '../../src/runtime/index.ts';
import { VirtualClock } from '../../src/runtime/testing/index.ts';

export class StagedTime implements DeliveryFilter {
  readonly clock = new VirtualClock();
  private readonly msOf: (to: Address) => number;
  /** By slow actor: when it is done with each message that it has. */
  private readonly due = new Map<Address, number[]>();
  private readonly quieting: (() => void)[] = [];
  /** By slow actor: most messages that it had to do at once. */
  readonly most = new Map<Address, number>();

  /** `msOf`: what an actor takes for a message on the data lane. */
  constructor(msOf: (to: Address) => number) {
    this.msOf = msOf;
  }

  judge({ route: { to, lane } }: Envelope): Fault | null {
    const ms = this.msOf(to);
    if (lane !== 'data' || ms === 0) return null;
    const nowMs = this.clock.now();
    const dueMs = this.dueOf(to);
    const doneMs = (dueMs.at(-1) ?? nowMs) + ms;
    dueMs.push(doneMs);
    this.most.set(to, Math.max(this.most.get(to) ?? 0, dueMs.length));
    return { kind: 'delay', ms: doneMs - nowMs };
  }

  /** Moves time until `work` is done. */
  async drive<T>(work: Promise<T>): Promise<T> {
    const jobs = vi.spyOn(JobQueue.prototype, 'do');
    let isDone = false;
    const end = (): void => {
      isDone = true;
    };
    work.then(end, end);
    while (!isDone) {
      await this.settle(jobs);
      const dueMs = [...this.due.keys()].flatMap((address) => this.dueOf(address));
      if (dueMs.length > 0) await this.clock.advance(Math.min(...dueMs) - this.clock.now());
      else for (const resolve of this.quieting.splice(0)) resolve();
    }
    jobs.mockRestore();
    return await work;
  }

  /** Resolves when a driven run waits for something that does not come. */
  quiet(): Promise<void> {
    return new Promise((resolve) => this.quieting.push(resolve));
  }

  private dueOf(address: Address): number[] {
    const dueMs = (this.due.get(address) ?? []).filter((ms) => ms > this.clock.now());
    this.due.set(address, dueMs);
    return dueMs;
  }

  /** Resolves when nothing more happens without time passing; what the device does takes none. */
  private async settle(jobs: MockInstance<JobQueue['do']>): Promise<void> {
    do {
      const results = jobs.mock.results.map(({ value }) => value as unknown);
      jobs.mockClear();
      await Promise.allSettled(results);
      await this.clock.settle();
    } while (jobs.mock.results.length > 0);
  }
}
