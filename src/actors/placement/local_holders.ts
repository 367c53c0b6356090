/**
 * The local holders are those of one system, spoken to as one by its agent: a message to all of them is one message from
 * elsewhere, and what they answer is gathered in the order of the cast.
 */
import type { ActorScope, ArgsOf, Ref, TensorPayload } from '../../runtime/index.ts';
import { storedNames } from '../parameters/rules.ts';
import type { agentProtocol, SystemVote } from '../protocol/agent.ts';
import { expertGroupProtocol } from '../protocol/expert.ts';
import {
  stateProtocol,
  stepProtocol,
  type AppliedDecision,
  type StatePart,
  type Vote,
} from '../protocol/parameters.ts';
import type { Pass } from '../protocol/pass.ts';
import { added } from '../protocol/added.ts';
import { passProtocol, type PassReport } from '../protocol/report.ts';
import { holdersOf } from './cast.ts';
import type { CastEntry, Holder } from './cast_entry.ts';
import { reportedBy, votedBy } from './system_holders.ts';

/**
 * How long holders may take: a message in hand is native code at worst, which ends, and cannot be asked in between. A minute
 * less than whoever asks the agent waits, so that it is the holder that an `AskTimeout` names.
 */
const patience = { timeoutMs: 14 * 60_000 };

type HolderRef = Ref<typeof stateProtocol>;

export class LocalHolders {
  private readonly scope: Pick<ActorScope, 'ref'>;
  private readonly cast: readonly CastEntry[];
  private readonly groups: readonly CastEntry[];
  private readonly holders: readonly Holder[];
  /** The addresses of those that vote and apply, for themselves or for several. */
  private readonly speakers: readonly string[];
  /** Who holds a parameter or a moment, by its name. */
  private readonly byName = new Map<string, Holder[]>();

  /** `cast`: the entries of all actors that the system hosts. */
  constructor(cast: readonly CastEntry[], scope: Pick<ActorScope, 'ref'>) {
    this.scope = scope;
    this.cast = cast;
    this.groups = cast.filter(({ runsFirst }) => runsFirst);
    this.holders = holdersOf(cast);
    this.speakers = [...new Set(this.holders.map(speakerOf))];
    for (const holder of this.holders) {
      const { holdings, optimizer } = holder.share;
      for (const name of holdings.flatMap((holding) => storedNames(holding, optimizer))) {
        pushTo(this.byName, name, holder);
      }
    }
  }

  /** Asks all for their votes on the training step that is under way, and adds them to one. */
  async vote(): Promise<SystemVote> {
    const votes = await Promise.all(
      this.speakers.map((address) => this.step(address).ask.prepare(undefined, patience)),
    );
    const bySpeaker = new Map(this.speakers.map((address, i) => [address, votes[i]]));
    return {
      squares: this.holders.flatMap((entry) => squaresOf(entry, bySpeaker.get(speakerOf(entry))!)),
      sums: votes.flatMap(({ sums }) => sums),
      routing: votes.flatMap(({ routing }) => routing),
      processed: added(votes.map((vote) => vote.processed)),
      creditWaitMs: added(votes.map((vote) => vote.creditWaitMs)),
    };
  }

  /** Asks all that have a part in the pass for what they report of it, once they have done it. */
  async finish(pass: Pass): Promise<PassReport> {
    const reports: PassReport[] = [];
    for (const part of ['opened', 'follows'] as const) {
      const entries = this.cast.filter(({ inPasses }) => inPasses === part);
      const actors = entries.map(({ address }) => this.scope.ref(passProtocol, address));
      reports.push(...(await Promise.all(actors.map((actor) => actor.ask.finish(pass, patience)))));
    }
    return {
      sums: reports.flatMap(({ sums }) => sums),
      outputs: reports.flatMap(({ outputs }) => outputs),
      routing: reports.flatMap(({ routing }) => routing),
    };
  }

  async apply(decision: AppliedDecision): Promise<void> {
    await Promise.all(this.speakers.map((address) => this.step(address).ask.apply(decision, patience)));
  }

  /** The named parameters with their moments, of those that are answered for here; holder by holder. */
  async save(names: readonly string[]): Promise<{ tensors: Record<string, TensorPayload> }> {
    const asked = new Map<Holder, string[]>();
    for (const name of names) {
      const reporter = this.holdersOf(name).find((holder) =>
        reportedBy(holder).some(({ parameter }) => parameter.name === name),
      );
      if (reporter !== undefined) pushTo(asked, reporter, name);
    }
    const saved = await Promise.all(
      [...asked].map(([entry, parameters]) => this.holder(entry).ask.save({ parameters }, patience)),
    );
    const tensors: Record<string, TensorPayload> = {};
    for (const each of saved) Object.assign(tensors, each.tensors);
    return { tensors };
  }

  /** Gives parameters and moments to all that hold them. */
  async restore({ parts, dataStep }: ArgsOf<typeof agentProtocol, 'restore'>): Promise<void> {
    const given = new Map<Holder, StatePart[]>();
    for (const part of parts) {
      for (const entry of this.holdersOf(part.name)) pushTo(given, entry, part);
    }
    await Promise.all(
      [...given].map(([entry, own]) => this.holder(entry).ask.restore({ parts: own, dataStep }, patience)),
    );
  }

  /** SHA-256 of each parameter that is answered for here, in the order of the cast. */
  async digest(): Promise<string[]> {
    const digests = await this.all(this.holders, (holder) => holder.ask.digest(undefined, patience));
    return this.holders.flatMap((entry, i) => reportedBy(entry).map(({ parameter }) => digests[i][parameter.name]));
  }

  /** Has all drop the pass under way; resolves to their data steps. */
  async abandon(): Promise<number[]> {
    // Groups first: then no expert votes any more.
    const groups = this.groups.map(({ address }) => this.scope.ref(expertGroupProtocol, address));
    await Promise.all(groups.map((group) => group.ask.abandon(undefined, patience)));
    return await this.all(this.holders, (holder) => holder.ask.abandon(undefined, patience));
  }

  async settle(decision: AppliedDecision | null): Promise<void> {
    await this.all(this.holders, (holder) => holder.ask.settle({ decision }, patience));
  }

  /** Asks each before it returns. */
  private all<T>(entries: readonly Holder[], ask: (holder: HolderRef) => Promise<T>): Promise<T[]> {
    return Promise.all(entries.map((entry) => ask(this.holder(entry))));
  }

  private holder({ address }: Holder): HolderRef {
    return this.scope.ref(stateProtocol, address);
  }

  private step(address: string): Ref<typeof stepProtocol> {
    return this.scope.ref(stepProtocol, address);
  }

  private holdersOf(name: string): readonly Holder[] {
    return this.byName.get(name) ?? [];
  }
}

const speakerOf = ({ address, speaker }: Holder): string => speaker ?? address;

function pushTo<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key) ?? [];
  list.push(value);
  lists.set(key, list);
}

/** Sums of squares of the tensors that a holder answers for, in their order. */
function squaresOf(entry: Holder, { squares }: Vote): number[] {
  return votedBy(entry).map(({ parameter: { name } }) => {
    if (!(name in squares)) throw new Error(`${entry.address}: its vote says nothing of ${name}`);
    return squares[name];
  });
}
