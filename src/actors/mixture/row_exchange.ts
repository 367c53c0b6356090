/**
 * The rows of a router between it and the expert groups of its mixture: out in one envelope a group, back at their place among all
 * rows, each dispatch against a credit. What finds no credit waits in the queue of its group, gradients before rows, and leaves as
 * soon as something comes back. Both ways work alike, forward with rows and backward with gradients.
 */
import type { Tensor } from '../../kernels/device.ts';
import { bytesPerElement } from '../../kernels/dtype.ts';
import type { ArgsOf } from '../../runtime/index.ts';
import { expertGroupRole } from '../../topology/index.ts';
import type { expertGroupProtocol } from '../protocol/expert.ts';
import type { Unit } from '../protocol/pass.ts';
import type { Rows } from '../protocol/rows.ts';
import type { RowsPort } from '../stage/rows_port.ts';
import type { Routing } from './admission.ts';
import { CreditLedger, type Claim, type Grant, type Phase } from './credits.ts';

export type Dispatch = ArgsOf<typeof expertGroupProtocol, 'dispatch'>;

export interface ExchangeParts {
  readonly port: RowsPort;
  readonly experts: number;
  /** Addresses of the expert groups, in order. */
  readonly groups: readonly string[];
  /** Rows that memory for one of them has. */
  readonly room: number;
  readonly grant: Grant;
  readonly now: () => number;
}

/** How many rows each expert has of all, which are packed by expert, and where they begin. */
export type PackedRows = Pick<Routing, 'kept_E' | 'start_E'>;

/** Tells a group. */
export type Teller = (group: number, message: Dispatch) => void;

interface Waiting {
  readonly claim: Claim;
  readonly rows: { readonly tensor: Tensor; readonly at: number; readonly rows: number };
  readonly tell: Teller;
  /** Since when it waits; null while nobody knows whether it has to. */
  sinceMs: number | null;
}

export class RowExchange {
  private readonly parts: ExchangeParts;
  private readonly credits: CreditLedger;
  /** By group. */
  private queues: Waiting[][];
  private waitedMs: number[];

  constructor(parts: ExchangeParts) {
    this.parts = parts;
    this.credits = new CreditLedger(parts.grant);
    this.queues = parts.groups.map(() => []);
    this.waitedMs = parts.groups.map(() => 0);
  }

  /** Dispatches that wait, or whose rows have not come back. */
  get outstanding(): number {
    return this.queues.reduce((sum, queue) => sum + queue.length, this.credits.size);
  }

  /**
   * Sends the rows of `rows_SD`, packed by expert, to their groups; a group without rows hears so too. They stay where they are
   * until the last of them has left. Returns the groups that owe an answer. Throws `CreditError`.
   */
  async send(
    unit: Unit,
    phase: Phase,
    { kept_E, start_E }: PackedRows,
    rows_SD: Tensor,
    tell: Teller,
  ): Promise<Set<number>> {
    const { experts, groups, now } = this.parts;
    const each = experts / groups.length;
    const rowBytes = rows_SD.shape[1] * bytesPerElement[rows_SD.dtype];
    for (const group of groups.keys()) {
      const counts = Array.from(kept_E.subarray(group * each, (group + 1) * each));
      const total = counts.reduce((sum, count) => sum + count, 0);
      const rows = { tensor: rows_SD, at: start_E[group * each], rows: total };
      const waiting: Waiting = {
        claim: { unit, phase, group, counts, bytes: total * rowBytes },
        rows,
        tell,
        sinceMs: null,
      };
      const queue = this.queues[group];
      const firstForward = queue.findIndex(({ claim }) => claim.phase === 'forward');
      if (phase === 'forward' || firstForward < 0) queue.push(waiting);
      else queue.splice(firstForward, 0, waiting);
    }
    await Promise.all([...groups.keys()].map((group) => this.pump(group)));
    const sinceMs = now();
    for (const queue of this.queues) for (const waiting of queue) waiting.sinceMs ??= sinceMs;
    return new Set(groups.keys());
  }

  /** Lays a group's rows at their place in `target_SD`, and lets go what has waited for their credit. Throws `CreditError`. */
  async receive(
    unit: Unit,
    phase: Phase,
    { start_E }: PackedRows,
    { group, rows, target_SD }: { readonly group: number; readonly rows: Rows; readonly target_SD: Tensor },
  ): Promise<void> {
    const { port, experts, groups } = this.parts;
    this.credits.settle(unit, phase, group, rows.shape[0]);
    const at = start_E[(group * experts) / groups.length];
    port.scatter(rows, [{ tensor: target_SD, at, rows: rows.shape[0] }]);
    await this.pump(group);
  }

  /**
   * Milliseconds that dispatches of training steps have waited for credit since this was asked last, by the role of each group of
   * the mixture `name` that let them wait.
   */
  takeWaits(name: string): Record<string, number> {
    const waited = this.waitedMs.map((ms, group) => [expertGroupRole(name, group), ms] as const);
    this.waitedMs = waited.map(() => 0);
    return Object.fromEntries(waited.filter(([, ms]) => ms > 0));
  }

  /** Forgets all dispatches, and how long they waited: their rows will not come back. */
  abandon(): void {
    this.credits.clear();
    this.queues = this.queues.map(() => []);
    this.waitedMs = this.waitedMs.map(() => 0);
  }

  /** Sends what of a group's queue has credit, in order. */
  private async pump(group: number): Promise<void> {
    const { port, groups, room, now } = this.parts;
    const queue = this.queues[group];
    // A gen may end while rows are read.
    const isOver = (): boolean => this.queues[group] !== queue;
    for (let first = queue.at(0); first !== undefined && !isOver(); first = queue.at(0)) {
      if (!this.credits.take(first.claim)) return;
      queue.shift();
      const { claim, rows, tell, sinceMs } = first;
      const { unit, counts } = claim;
      if (sinceMs !== null && unit.kind === 'train') this.waitedMs[group] += now() - sinceMs;
      const message = { ...unit, counts: [...counts], rows: await port.lend(rows, groups[group], room) };
      if (!isOver()) tell(group, message);
    }
  }
}
