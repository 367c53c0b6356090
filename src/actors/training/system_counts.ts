/** The systems of a run count bytes by transport and the CPU time of each thread, and their agents report it. */
import type { ActorScope } from '../../runtime/index.ts';
import { agentAddress } from '../placement/addresses.ts';
import { agentProtocol } from '../protocol/agent.ts';

type Numbers = Readonly<Record<string, number>>;

/** What was counted since the start of the systems, or of a step. */
export interface Counts {
  /** Bytes sent, by transport. */
  readonly bytesSent: Numbers;
  /** CPU time of the thread of each system, in milliseconds. */
  readonly cpuMs: Numbers;
}

/** Frames with tensors were not given back by the end of a step. Always a bug. */
export class FramesHeld extends Error {
  readonly tag = 'FramesHeld';
  constructor(system: string, frames: number, step: number) {
    super(`${system}: ${frames} frames are still held after step ${step}; report it`);
    this.name = 'FramesHeld';
  }
}

const patienceMs = 15 * 60_000;

/** Asks all systems for what they have counted so far. To be asked between steps only. Throws `FramesHeld`. */
export async function countsOf(
  scope: Pick<ActorScope, 'ref'>,
  systems: readonly string[],
  step: number,
): Promise<Counts> {
  const agents = systems.map((system) => scope.ref(agentProtocol, agentAddress(system)));
  const reports = await Promise.all(agents.map((agent) => agent.ask.report(undefined, { timeoutMs: patienceMs })));
  const holder = reports.findIndex(({ leased }) => leased > 0);
  // Between steps nothing is under way, so whoever holds a frame has forgotten it.
  if (holder >= 0) throw new FramesHeld(systems[holder], reports[holder].leased, step);
  return {
    bytesSent: summed(reports.map(({ bytesSent }) => bytesSent)),
    cpuMs: Object.fromEntries(reports.map(({ cpuMs }, i) => [systems[i], cpuMs])),
  };
}

/** What was counted after `before`. */
export function since(before: Counts | null, now: Counts): Counts {
  return { bytesSent: less(now.bytesSent, before?.bytesSent), cpuMs: less(now.cpuMs, before?.cpuMs) };
}

function summed(all: readonly Numbers[]): Numbers {
  const total: Record<string, number> = {};
  for (const [name, value] of all.flatMap((each) => Object.entries(each))) total[name] = (total[name] ?? 0) + value;
  return total;
}

const less = (now: Numbers, before: Numbers = {}): Numbers =>
  Object.fromEntries(Object.entries(now).map(([name, value]) => [name, value - (before[name] ?? 0)]));
