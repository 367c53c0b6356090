/**
 * The actor that starts its children in order, is told when one ends, asks the strategy what to do, and does it. Stopping
 * it stops them in reverse order. When it gives up it fails, which its own supervisor hears: that is escalation.
 */

import { z } from 'zod';
import type { ActorScope, Handlers, Hooks } from './actor.ts';
import { checkAddress, type Address } from './address.ts';
import { DATA_CAPACITY, type CellHost, type ChildOptions, type ChildSpec } from './child_spec.ts';
import type { Timer } from './clock.ts';
import { describeError, RestartsExceeded } from './errors.ts';
import { ask, defineProtocol, itself, ownOutside, tell } from './protocol.ts';
import { decide, SUPERVISION, type RestartAction, type SupervisionOptions } from './strategies.ts';

const reasonSchema = z.enum(['stopped', 'failed', 'killed', 'gone']);
const endedSchema = z.object({
  address: z.string(),
  incarnation: z.number(),
  reason: reasonSchema,
  error: z.string().nullable(),
});
const childSchema = z.object({ address: z.string(), running: z.boolean(), incarnation: z.number() });

export type ChildReport = z.infer<typeof childSchema>;

export const supervisorProtocol = defineProtocol('supervisor', {
  ended: tell({ fenced: false, from: [ownOutside], args: endedSchema }),
  restart: tell({ fenced: false, from: [itself], args: z.object({ children: z.array(z.string()) }) }),
  children: ask({ fenced: false, from: [ownOutside], reply: z.array(childSchema) }),
});

/** Describes a supervisor with `children` in start order; may itself be a child. */
export function supervisor(
  address: Address,
  options: Partial<SupervisionOptions>,
  children: readonly ChildSpec[],
  { restart = 'permanent' }: ChildOptions = {},
): ChildSpec {
  const settings = { ...SUPERVISION, ...options };
  return {
    address: checkAddress(address),
    protocol: supervisorProtocol,
    restart,
    dataCapacity: DATA_CAPACITY,
    create: (scope, host) => new Supervisor(scope, host, settings, children),
  };
}

interface Child {
  readonly spec: ChildSpec;
  incarnation: number;
  running: boolean;
  restartsMs: readonly number[];
}

export class Supervisor implements Handlers<typeof supervisorProtocol>, Hooks {
  readonly #scope: ActorScope;
  readonly #host: CellHost;
  readonly #options: SupervisionOptions;
  #children: Child[] = [];
  /** When those were restarted that go down and up together; where each is by itself, see its own. */
  #restartsMs: readonly number[] = [];
  /** Restarts that wait for their back-off. */
  readonly #planned = new Map<Timer, readonly Address[]>();

  /** Starts all children in order; if one fails, stops those before it and throws. */
  constructor(scope: ActorScope, host: CellHost, options: SupervisionOptions, specs: readonly ChildSpec[]) {
    this.#scope = scope;
    this.#host = host;
    this.#options = options;
    try {
      for (const spec of specs) this.add(spec);
    } catch (error) {
      void this.stopped();
      throw error;
    }
  }

  /** Starts one more child, last in order; throws `StartFailed` or `AddressTaken`. */
  add(spec: ChildSpec): void {
    const incarnation = this.#host.start(spec, this.#scope.address);
    this.#children = this.#children.filter((child) => child.spec.address !== spec.address);
    this.#children.push({ spec, incarnation, running: true, restartsMs: [] });
  }

  /** Forgets a child, which is not started again: for whoever ends it. */
  forget(address: Address): void {
    this.#children = this.#children.filter(({ spec }) => spec.address !== address);
    this.#cancel((planned) => planned.includes(address));
  }

  async ended({ address, incarnation, reason, error }: z.infer<typeof endedSchema>): Promise<void> {
    const child = this.#children.find(({ spec }) => spec.address === address);
    // A sibling that this supervisor stopped itself, or a former life.
    if (child?.incarnation !== incarnation || !child.running) return;
    child.running = false;
    await this.#recover(child, reason, error ?? reason);
  }

  restart({ children }: { children: string[] }): Promise<void> {
    return this.#start(children);
  }

  children(): ChildReport[] {
    return this.#children.map(({ spec, running, incarnation }) => ({ address: spec.address, running, incarnation }));
  }

  async stopped(): Promise<void> {
    this.#cancel(() => true);
    for (const child of this.#children.toReversed()) await this.#stop(child);
  }

  async #recover(child: Child, reason: z.infer<typeof reasonSchema>, error: string): Promise<void> {
    const isAlone = this.#options.strategy === 'one_for_one';
    const action = decide(this.#options, {
      children: this.#children.map(({ spec }) => spec),
      ended: child.spec.address,
      reason,
      nowMs: this.#scope.clock.now(),
      restartsMs: isAlone ? child.restartsMs : this.#restartsMs,
    });
    switch (action.kind) {
      case 'forget':
        this.#children = this.#children.filter((other) => other !== child);
        return;
      case 'escalate':
        await this.stopped();
        throw new RestartsExceeded(this.#scope.address, this.#options, { child: child.spec.address, error });
      case 'restart':
        if (isAlone) child.restartsMs = action.restartsMs;
        else this.#restartsMs = action.restartsMs;
        this.#log(child, action, error === reason ? reason : `${reason}: ${error}`);
        for (const address of action.stop) await this.#stop(this.#child(address));
        this.#forgetStopped([...action.start, ...action.stop], action.start);
        if (action.delayMs === 0) return this.#start(action.start);
        this.#startLater(action.start, action.delayMs);
    }
  }

  #log({ spec }: Child, { start, delayMs, restartsMs }: RestartAction, why: string): void {
    const { intensity, periodMs } = this.#options;
    const budget = `${restartsMs.length} of at most ${intensity} restarts in ${periodMs} ms`;
    this.#scope.log.warn(`${spec.address} ${why}; starts ${start.join(', ')} in ${delayMs} ms, ${budget}`);
  }

  #startLater(addresses: readonly Address[], delayMs: number): void {
    // A wider restart takes over what a narrower one was waiting for, so that start order holds.
    this.#cancel((planned) => planned.every((address) => addresses.includes(address)));
    const timer = this.#scope.clock.after(delayMs, () => {
      this.#planned.delete(timer);
      this.#scope.ref(supervisorProtocol, this.#scope.address).tell.restart({ children: [...addresses] });
    });
    this.#planned.set(timer, addresses);
  }

  #cancel(isOff: (planned: readonly Address[]) => boolean): void {
    for (const [timer, planned] of this.#planned) {
      if (!isOff(planned)) continue;
      timer.cancel();
      this.#planned.delete(timer);
    }
  }

  /** Temporary siblings that were stopped stay stopped. */
  #forgetStopped(affected: readonly Address[], started: readonly Address[]): void {
    const isGone = (address: Address) => affected.includes(address) && !started.includes(address);
    this.#children = this.#children.filter(({ spec }) => !isGone(spec.address));
  }

  async #start(addresses: readonly Address[]): Promise<void> {
    for (const address of addresses) {
      const child = this.#child(address);
      if (child === undefined || child.running) continue;
      try {
        child.incarnation = this.#host.start(child.spec, this.#scope.address);
        child.running = true;
      } catch (error) {
        return this.#recover(child, 'failed', describeError(error));
      }
    }
  }

  async #stop(child: Child | undefined): Promise<void> {
    if (child?.running !== true) return;
    child.running = false;
    await this.#host.stop(child.spec.address);
  }

  #child(address: Address): Child | undefined {
    return this.#children.find(({ spec }) => spec.address === address);
  }
}
