/**
 * Capacity as credit. An expert gives every router a number of slots a microbatch; a dispatch takes that credit for
 * (expert, microbatch, phase), and the rows coming back return it. Credits are identified, not counted, so a lost or
 * doubled message cannot be taken for another's.
 */

export type Phase = 'forward' | 'backward';

/** A dispatch went past what its expert granted, or rows came back that nobody sent. Always a bug. */
export class CreditError extends Error {
  readonly tag = 'CreditError';
  constructor(message: string) {
    super(message);
    this.name = 'CreditError';
  }
}

/** The credits that one router holds towards one expert group. */
export class CreditLedger {
  private readonly outstanding = new Map<string, number>();
  private readonly grant: number;

  /** `grant`: most rows of one dispatch to one expert. */
  constructor(grant: number) {
    this.grant = grant;
  }

  /** Takes the credit of each expert for the rows sent to it. Throws `CreditError` past the grant, or taken twice. */
  take(microbatch: number, phase: Phase, group: number, rowsByExpert: readonly number[]): void {
    const key = `${microbatch}/${phase}/${group}`;
    if (this.outstanding.has(key)) throw new CreditError(`credit ${key} is taken already`);
    const most = Math.max(...rowsByExpert);
    if (most > this.grant) throw new CreditError(`credit ${key}: ${most} rows for one expert, granted ${this.grant}`);
    this.outstanding.set(
      key,
      rowsByExpert.reduce((sum, rows) => sum + rows, 0),
    );
  }

  /** Returns the credit that `rows` rows coming back settle. Throws `CreditError` when they are not those sent. */
  settle(microbatch: number, phase: Phase, group: number, rows: number): void {
    const key = `${microbatch}/${phase}/${group}`;
    const taken = this.outstanding.get(key);
    if (taken !== rows) throw new CreditError(`credit ${key}: ${rows} rows came back, ${taken ?? 'none'} were sent`);
    this.outstanding.delete(key);
  }

  /** Returns all credits: the gen they were taken in is over. */
  clear(): void {
    this.outstanding.clear();
  }

  /** Dispatches whose rows have not come back. */
  get size(): number {
    return this.outstanding.size;
  }
}
