/**
 * The local holders are those of one system, spoken to as one by its agent: a message to all of them is one message from
 * elsewhere, and what they answer is gathered in the order of the cast.
 */
import type { ActorScope, Ref } from '../../runtime/index.ts';
import type { SystemVote } from '../protocol/agent.ts';
import { expertGroupProtocol } from '../protocol/expert.ts';
import { parametersProtocol, type Decision, type Vote } from '../protocol/parameters.ts';
import { holdersOf } from './cast.ts';
import type { CastEntry } from './cast_entry.ts';
import { reportedBy } from './system_holders.ts';

/** How long holders may take: a message in hand is native code at worst, which ends, and cannot be asked in between. */
const patience = { timeoutMs: 15 * 60_000 };

type Holder = Ref<typeof parametersProtocol>;

export class LocalHolders {
  private readonly scope: Pick<ActorScope, 'ref'>;
  private readonly groups: readonly CastEntry[];
  private readonly holders: readonly CastEntry[];

  /** `cast`: the entries of all actors that the system hosts. */
  constructor(cast: readonly CastEntry[], scope: Pick<ActorScope, 'ref'>) {
    this.scope = scope;
    this.groups = cast.filter(({ runsFirst }) => runsFirst);
    this.holders = holdersOf(cast);
  }

  /** Asks for the votes on a pass of those named, or of all, and adds them to one. */
  async vote({
    mode,
    step,
    of,
  }: {
    mode: 'train' | 'evaluate';
    step: number;
    of: string[] | null;
  }): Promise<SystemVote> {
    const asked = of === null ? this.holders : this.holders.filter(({ address }) => of.includes(address));
    const votes = await this.all(asked, (holder) => holder.ask.prepare({ mode, step }, patience));
    const processed: Record<string, number> = {};
    for (const [layer, rows] of votes.flatMap((vote) => Object.entries(vote.processed))) {
      processed[layer] = (processed[layer] ?? 0) + rows;
    }
    return {
      squares: mode === 'train' ? asked.flatMap((entry, i) => squaresOf(entry, votes[i])) : [],
      losses: votes.flatMap(({ losses }) => losses),
      routing: votes.flatMap(({ routing }) => routing),
      processed,
    };
  }

  async apply(decision: Decision): Promise<void> {
    await this.all(this.holders, (holder) => holder.ask.apply(decision, patience));
  }

  /** Has all drop the pass under way; resolves to their data steps. */
  async abandon(): Promise<number[]> {
    // Groups first: then no expert comes to its vote any more.
    const groups = this.groups.map(({ address }) => this.scope.ref(expertGroupProtocol, address));
    await Promise.all(groups.map((group) => group.ask.abandon(undefined, patience)));
    return await this.all(this.holders, (holder) => holder.ask.abandon(undefined, patience));
  }

  async settle(decision: Decision | null): Promise<void> {
    await this.all(this.holders, (holder) => holder.ask.settle({ decision }, patience));
  }

  /** Asks each before it returns. */
  private all<T>(entries: readonly CastEntry[], ask: (holder: Holder) => Promise<T>): Promise<T[]> {
    return Promise.all(entries.map(({ address }) => ask(this.scope.ref(parametersProtocol, address))));
  }
}

/** Sums of squares of the tensors that a holder answers for, in their order. */
function squaresOf(entry: CastEntry, { squares }: Vote): number[] {
  return reportedBy(entry).map(({ name }) => {
    if (!(name in squares)) throw new Error(`${entry.address}: its vote says nothing of ${name}`);
    return squares[name];
  });
}
