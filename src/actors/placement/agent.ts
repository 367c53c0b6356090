/**
 * The agent of a system speaks for its holders of parameters: what the trainer asks all of them is one message a system.
 * And it lets the system enter a gen. The system enters first, so that nothing of the former gen is let in any more; then
 * the agent asks each of its roles to drop the pass under way. That question waits for the message that a role has in
 * hand, so when it is answered the system is quiet.
 */
import { freeAnswered } from '../../runtime/index.ts';
import type { Actor, ActorScope, ArgsOf, Context, Reply, TensorPayload } from '../../runtime/index.ts';
import type { Device } from '../../kernels/device.ts';
import type { Assignment } from '../protocol/assignment.ts';
import type { DeviceTuning, SystemReport, SystemVote, agentProtocol } from '../protocol/agent.ts';
import type { AppliedDecision } from '../protocol/parameters.ts';
import type { Pass } from '../protocol/pass.ts';
import type { PassReport } from '../protocol/report.ts';
import type { CastEntry } from './cast_entry.ts';
import { LocalHolders } from './local_holders.ts';

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
  readonly device: () => Pick<Device, 'numericsClass' | 'choices'> | null;
  /** Told of each gen before anybody acts in it. */
  readonly onEnter: (gen: number) => void;
  /** The actors that the system hosts at first. */
  readonly cast: readonly CastEntry[];
  /** Takes the system's part in an assignment; resolves to the actors that it hosts from then on. */
  readonly place: (assignment: Assignment) => Promise<readonly CastEntry[]>;
}

export class SystemAgent implements Actor<Messages> {
  private readonly parts: AgentParts;
  private readonly scope: ActorScope;
  private holders: LocalHolders;

  constructor(parts: AgentParts, scope: ActorScope) {
    this.parts = parts;
    this.scope = scope;
    this.holders = new LocalHolders(parts.cast, scope);
  }

  vote(_args: undefined, ctx: Context): Reply<SystemVote> {
    return later(ctx, this.holders.vote());
  }

  finish(pass: Pass, ctx: Context): Reply<PassReport> {
    return later(ctx, this.holders.finish(pass), ({ outputs }) =>
      outputs.forEach(({ tensor }) => freeAnswered(tensor)),
    );
  }

  apply(decision: AppliedDecision, ctx: Context): Reply<SystemReport> {
    return later(
      ctx,
      this.holders.apply(decision).then(() => this.report()),
    );
  }

  save(args: ArgsOf<Messages, 'save'>, ctx: Context): Reply<{ tensors: Record<string, TensorPayload> }> {
    return later(ctx, this.holders.save(args.parameters), ({ tensors }) =>
      Object.values(tensors).forEach(freeAnswered),
    );
  }

  restore(args: ArgsOf<Messages, 'restore'>, ctx: Context): Reply<void> {
    return later(ctx, this.holders.restore(args));
  }

  digest(_args: undefined, ctx: Context): Reply<string[]> {
    return later(ctx, this.holders.digest());
  }

  /** One gen after another. What keeps the system from its part, such as too little memory, is the answer. */
  async enter(args: ArgsOf<Messages, 'enter'>, ctx: Context): Promise<Reply<number[]>> {
    const reply = ctx.defer<number[]>();
    try {
      reply.resolve(await this.entered(args));
    } catch (error) {
      reply.reject(error);
    }
    return reply;
  }

  async settle({ gen, decision }: ArgsOf<Messages, 'settle'>): Promise<void> {
    // A later gen has its own settlement.
    if (gen === this.parts.system.gen) await this.holders.settle(decision);
  }

  report(): SystemReport {
    const { system } = this.parts;
    const { user, system: kernel } = process.threadCpuUsage();
    return { bytesSent: { ...system.bytesSentBy() }, leased: system.leased, cpuMs: (user + kernel) / 1000 };
  }

  tuning(): DeviceTuning | null {
    const { numericsClass = '', choices = {} } = this.parts.device() ?? {};
    return Object.keys(choices).length === 0 ? null : { numericsClass, choices };
  }

  private async entered({ gen, assignment }: ArgsOf<Messages, 'enter'>): Promise<number[]> {
    const { system, onEnter, place } = this.parts;
    system.enter(gen);
    onEnter(gen);
    const steps = await this.holders.abandon();
    if (assignment === null) return steps;
    this.holders = new LocalHolders(await place(assignment), this.scope);
    return await this.holders.abandon();
  }
}

/**
 * Answers with what comes of `work`, and holds the agent not so long: it has to hear that a gen is over. `sent` is called
 * with what was answered.
 */
function later<T>(ctx: Context, work: Promise<T>, sent: (value: T) => void = () => undefined): Reply<T> {
  const reply = ctx.defer<T>();
  work.then(
    (value) => {
      if (!reply.settled) reply.resolve(value);
      sent(value);
    },
    (error: unknown) => {
      if (!reply.settled) reply.reject(error);
    },
  );
  return reply;
}
