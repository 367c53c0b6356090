/**
 * The rows of a router between it and the expert groups of its layer: out in one envelope a group, back at their place
 * among all rows, each dispatch against a credit. Both ways work alike, forward with rows and backward with gradients.
 */
import type { Tensor } from '../../kernels/device.ts';
import type { ArgsOf } from '../../runtime/index.ts';
import { CreditLedger, type Phase } from './credits.ts';
import type { expertGroupProtocol } from '../protocol/expert.ts';
import type { Unit } from '../protocol/pass.ts';
import type { Rows } from '../protocol/rows.ts';
import { startsOf } from './routing.ts';
import type { RowsPort } from '../stage/rows_port.ts';

export type Dispatch = ArgsOf<typeof expertGroupProtocol, 'dispatch'>;

export class RowExchange {
  private readonly port: RowsPort;
  private readonly experts: number;
  private readonly groups: readonly string[];
  private readonly room: number;
  private readonly credits: CreditLedger;

  /**
   * `groups`: addresses of the expert groups, in order; `room`: rows that memory for one of them has; `grant`: most rows of one
   * dispatch to one expert.
   */
  constructor(
    port: RowsPort,
    experts: number,
    groups: readonly string[],
    { room, grant }: { readonly room: number; readonly grant: number },
  ) {
    this.port = port;
    this.experts = experts;
    this.groups = groups;
    this.room = room;
    this.credits = new CreditLedger(grant);
  }

  /** Dispatches whose rows have not come back. */
  get outstanding(): number {
    return this.credits.size;
  }

  /**
   * Sends the rows of `rows_SD`, packed by expert, to their groups; a group without rows hears so too. Returns the
   * groups that owe an answer. Throws `CreditError`.
   */
  async send(
    unit: Unit,
    phase: Phase,
    kept_E: Int32Array,
    rows_SD: Tensor,
    tell: (group: number, message: Dispatch) => void,
  ): Promise<Set<number>> {
    const each = this.experts / this.groups.length;
    const starts = startsOf(kept_E);
    const dispatches = await Promise.all(
      this.groups.map(async (address, group) => {
        const counts = Array.from(kept_E.subarray(group * each, (group + 1) * each));
        const total = counts.reduce((sum, count) => sum + count, 0);
        const own = { tensor: rows_SD, at: starts[group * each], rows: total };
        return { ...unit, counts, rows: await this.port.gather([own], address, this.room) };
      }),
    );
    for (const [group, dispatch] of dispatches.entries()) {
      this.credits.take(unit.microbatch, phase, group, dispatch.counts);
      tell(group, dispatch);
    }
    return new Set(this.groups.keys());
  }

  /** Forgets all dispatches: their rows will not come back. */
  abandon(): void {
    this.credits.clear();
  }

  /** Lays a group's rows at their place in `target_SD` and returns the credit. Throws `CreditError`. */
  receive(unit: Unit, phase: Phase, kept_E: Int32Array, group: number, rows: Rows, target_SD: Tensor): void {
    this.credits.settle(unit.microbatch, phase, group, rows.shape[0]);
    const start = startsOf(kept_E)[(group * this.experts) / this.groups.length];
    this.port.scatter(rows, [{ tensor: target_SD, at: start, rows: rows.shape[0] }]);
  }
}
