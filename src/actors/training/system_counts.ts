/**
 * The systems of a run count bytes by transport and the CPU time of each thread, and their agents report it. A step has
 * what was counted from the report before it to the one after; the next step may be under way by then.
 */
import type { ActorScope } from '../../runtime/index.ts';
import { agentAddress } from '../placement/addresses.ts';
import { agentProtocol, type SystemReport } from '../protocol/agent.ts';

type Numbers = Readonly<Record<string, number>>;

/** What was counted since the start of the systems, or of a step. */
export interface Counts {
  /** Bytes sent, by transport. */
  readonly bytesSent: Numbers;
  /** CPU time of the thread of each system, in milliseconds. */
  readonly cpuMs: Numbers;
}

/** Frames with tensors were not given back when nothing was under way any more. Always a bug. */
export class FramesHeld extends Error {
  readonly tag = 'FramesHeld';
  constructor(system: string, frames: number, step: number) {
    super(`${system}: ${frames} frames are still held after step ${step}; report it`);
    this.name = 'FramesHeld';
  }
}

const patienceMs = 15 * 60_000;

export class SystemCounts {
  private readonly scope: Pick<ActorScope, 'ref'>;
  private readonly systems: readonly string[];
  /** Where the next step is counted from; null while that has to be asked for. */
  private before: Counts | null = null;

  constructor(scope: Pick<ActorScope, 'ref'>, systems: readonly string[]) {
    this.scope = scope;
    this.systems = systems;
  }

  /** Counts from here on, unless it does already. */
  async begin(step: number): Promise<void> {
    if (this.before === null) await this.quiet(step);
  }

  /** What was counted since the step before, or since `begin`, by the `reports` of the systems or by those asked for now. */
  async ofStep(reports: readonly SystemReport[] | null): Promise<Counts> {
    const { before } = this;
    this.before = countsOf(this.systems, reports ?? (await this.reports()));
    return since(before, this.before);
  }

  /** What is counted from now on is no part of a step, until `begin`. */
  leaveOff(): void {
    this.before = null;
  }

  /** All that the first `step` steps sent has come; whoever still holds a frame has forgotten it. Throws `FramesHeld`. */
  async quiet(step: number): Promise<void> {
    const reports = await this.reports();
    const holder = reports.findIndex(({ leased }) => leased > 0);
    if (holder >= 0) throw new FramesHeld(this.systems[holder], reports[holder].leased, step);
    this.before = countsOf(this.systems, reports);
  }

  private reports(): Promise<SystemReport[]> {
    const agents = this.systems.map((system) => this.scope.ref(agentProtocol, agentAddress(system)));
    return Promise.all(agents.map((agent) => agent.ask.report(undefined, { timeoutMs: patienceMs })));
  }
}

function countsOf(systems: readonly string[], reports: readonly SystemReport[]): Counts {
  return {
    bytesSent: summed(reports.map(({ bytesSent }) => bytesSent)),
    cpuMs: Object.fromEntries(reports.map(({ cpuMs }, i) => [systems[i], cpuMs])),
  };
}

function since(before: Counts | null, now: Counts): Counts {
  return { bytesSent: less(now.bytesSent, before?.bytesSent), cpuMs: less(now.cpuMs, before?.cpuMs) };
}

function summed(all: readonly Numbers[]): Numbers {
  const total: Record<string, number> = {};
  for (const [name, value] of all.flatMap((each) => Object.entries(each))) total[name] = (total[name] ?? 0) + value;
  return total;
}

const less = (now: Numbers, before: Numbers = {}): Numbers =>
  Object.fromEntries(Object.entries(now).map(([name, value]) => [name, value - (before[name] ?? 0)]));
