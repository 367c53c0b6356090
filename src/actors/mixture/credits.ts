/**
 * Capacity as credit: what an expert group lets a router have under way. A dispatch takes the credit of (unit, phase, group), and
 * the rows that come back return it. A forward dispatch of a training step also takes a place for what the experts keep until its
 * gradients come. Who finds none waits (`row_exchange.ts`). Credits are identified, not counted, so that a lost or doubled message
 * cannot be taken for another's.
 */
import { keyOf, type Unit } from '../protocol/pass.ts';

export type Phase = 'forward' | 'backward';

/** A dispatch that could never be sent, or rows that came back and nobody sent. Always a bug. */
export class CreditError extends Error {
  readonly tag = 'CreditError';
  constructor(message: string) {
    super(message);
    this.name = 'CreditError';
  }
}

/** What a router may have under way with each expert group. */
export interface Grant {
  /** Most rows of one dispatch to one expert. */
  readonly rows: number;
  /** Microbatches whose memory in the experts is taken. */
  readonly microbatches: number;
  /** Bytes sent whose answer has not come. One dispatch may always be under way, however large. */
  readonly bytes: number;
}

/** A dispatch that asks for credit: rows by expert of the group, and bytes of all. */
export interface Claim {
  readonly unit: Unit;
  readonly phase: Phase;
  readonly group: number;
  readonly counts: readonly number[];
  readonly bytes: number;
}

interface Taken {
  readonly rows: number;
  readonly bytes: number;
}

/** Of one group. */
class Account {
  readonly outstanding = new Map<string, Taken>();
  /** Microbatches that the experts keep something of. */
  readonly resident = new Set<string>();
  bytes = 0;
}

/** The credits that one router holds towards the expert groups of its mixture. */
export class CreditLedger {
  private readonly grant: Grant;
  private readonly accounts = new Map<number, Account>();

  constructor(grant: Grant) {
    this.grant = grant;
  }

  /** Takes the credit of a dispatch; false where it has to wait. Throws `CreditError` past the grant of rows, or taken twice. */
  take({ unit, phase, group, counts, bytes }: Claim): boolean {
    const account = this.accountOf(group);
    const { outstanding, resident } = account;
    const key = nameOf(unit, phase, group);
    if (outstanding.has(key)) throw new CreditError(`credit ${key} is taken already`);
    const most = Math.max(...counts);
    if (most > this.grant.rows)
      throw new CreditError(`credit ${key}: ${most} rows for one expert, granted ${this.grant.rows}`);
    if (outstanding.size > 0 && account.bytes + bytes > this.grant.bytes) return false;
    if (phase === 'forward') {
      if (resident.size >= this.grant.microbatches) return false;
      resident.add(keyOf(unit));
    }
    outstanding.set(key, { rows: counts.reduce((sum, rows) => sum + rows, 0), bytes });
    account.bytes += bytes;
    return true;
  }

  /** Returns the credit that `rows` rows coming back settle. Throws `CreditError` when they are not those sent. */
  settle(unit: Unit, phase: Phase, group: number, rows: number): void {
    const account = this.accountOf(group);
    const key = nameOf(unit, phase, group);
    const taken = account.outstanding.get(key);
    if (taken?.rows !== rows)
      throw new CreditError(`credit ${key}: ${rows} rows came back, ${taken?.rows ?? 'none'} were sent`);
    account.outstanding.delete(key);
    account.bytes -= taken.bytes;
    if (phase === 'backward' || unit.kind !== 'train') account.resident.delete(keyOf(unit));
  }

  /** Returns all credits: the gen they were taken in is over. */
  clear(): void {
    this.accounts.clear();
  }

  /** Dispatches whose rows have not come back. */
  get size(): number {
    return [...this.accounts.values()].reduce((sum, { outstanding }) => sum + outstanding.size, 0);
  }

  private accountOf(group: number): Account {
    const known = this.accounts.get(group) ?? new Account();
    this.accounts.set(group, known);
    return known;
  }
}

const nameOf = (unit: Unit, phase: Phase, group: number): string => `${keyOf(unit)}/${phase}/${group}`;
