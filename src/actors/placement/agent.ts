/**
 * The agent of a system lets it enter a gen. The system enters first, so that nothing of the former gen is let in any
 * more; then the agent asks each of its roles to drop the pass under way. That question waits for the message that a
 * role has in hand, so when it is answered the system is quiet.
 */
import type { Actor, ActorScope, ArgsOf } from '../../runtime/index.ts';
import type { Device } from '../../kernels/device.ts';
import { expertGroupProtocol } from '../protocol/expert.ts';
import { parametersProtocol } from '../protocol/parameters.ts';
import type { DeviceTuning, SystemReport, agentProtocol } from '../protocol/agent.ts';

type Messages = typeof agentProtocol;

/** The part of a system that its agent needs. */
export interface AgentSystem {
  readonly gen: number;
  enter(gen: number): void;
  bytesSentBy(): Readonly<Record<string, number>>;
  readonly leased: number;
}

export interface AgentParts {
  readonly system: AgentSystem;
  /** The device that its roles compute on; null where it has none. */
  readonly device: Pick<Device, 'numericsClass' | 'choices'> | null;
  /** Told of each gen before anybody acts in it. */
  readonly onEnter: (gen: number) => void;
  /** Addresses of the expert groups in the system. */
  readonly groups: readonly string[];
  /** Addresses of the stages, routers and experts in the system. */
  readonly holders: readonly string[];
}

/** A message in hand is native code at worst: it ends, and cannot be asked in between. */
const patienceMs = 10 * 60_000;

export class SystemAgent implements Actor<Messages> {
  private readonly parts: AgentParts;
  private readonly scope: ActorScope;

  constructor(parts: AgentParts, scope: ActorScope) {
    this.parts = parts;
    this.scope = scope;
  }

  async enter({ gen }: ArgsOf<Messages, 'enter'>): Promise<number[]> {
    const { system, onEnter, groups, holders } = this.parts;
    system.enter(gen);
    onEnter(gen);
    // Groups first: then no expert comes to its vote any more.
    await Promise.all(groups.map((address) => this.group(address).ask.abandon(undefined, { timeoutMs: patienceMs })));
    return Promise.all(
      holders.map((address) => this.holder(address).ask.abandon(undefined, { timeoutMs: patienceMs })),
    );
  }

  async settle({ gen, decision }: ArgsOf<Messages, 'settle'>): Promise<void> {
    // A later gen has its own settlement.
    const { system, holders } = this.parts;
    if (gen !== system.gen) return;
    await Promise.all(
      holders.map((address) => this.holder(address).ask.settle({ decision }, { timeoutMs: patienceMs })),
    );
  }

  report(): SystemReport {
    const { system } = this.parts;
    const { user, system: kernel } = process.threadCpuUsage();
    return { bytesSent: { ...system.bytesSentBy() }, leased: system.leased, cpuMs: (user + kernel) / 1000 };
  }

  tuning(): DeviceTuning | null {
    const { numericsClass = '', choices = {} } = this.parts.device ?? {};
    return Object.keys(choices).length === 0 ? null : { numericsClass, choices };
  }

  private group(address: string) {
    return this.scope.ref(expertGroupProtocol, address);
  }
  private holder(address: string) {
    return this.scope.ref(parametersProtocol, address);
  }
}
