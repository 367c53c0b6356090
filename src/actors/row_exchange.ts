/**
 * The rows of a router between it and the expert groups of its layer: out in one envelope a group, back at their place
 * among all rows, each dispatch against a credit. Both ways work alike, forward with rows and backward with gradients.
 */
import type { Data } from '../kernels/dtype.ts';
import type { Device, Tensor } from '../kernels/device.ts';
import type { ArgsOf, TensorPayload } from '../runtime/index.ts';
import { CreditLedger, type Phase } from './credits.ts';
import type { expertGroupProtocol } from './protocol/expert.ts';
import { dataOf, payload, type Unit } from './protocol/pass.ts';
import { startsOf } from './routing.ts';

export type Dispatch = ArgsOf<typeof expertGroupProtocol, 'dispatch'>;

export class RowExchange {
  private readonly device: Device;
  private readonly experts: number;
  private readonly groups: number;
  private readonly credits: CreditLedger;

  /** `grant`: most rows of one dispatch to one expert. */
  constructor(device: Device, experts: number, groups: number, grant: number) {
    this.device = device;
    this.experts = experts;
    this.groups = groups;
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
    const width = rows_SD.shape[1];
    const each = this.experts / this.groups;
    const starts = startsOf(kept_E);
    const all = await this.device.read(rows_SD, kept_E.reduce((sum, count) => sum + count, 0) * width);
    const owing = new Set<number>();
    for (let group = 0; group < this.groups; group++) {
      const counts = Array.from(kept_E.subarray(group * each, (group + 1) * each));
      const total = counts.reduce((sum, count) => sum + count, 0);
      const start = starts[group * each];
      const data = all.subarray(start * width, (start + total) * width);
      this.credits.take(unit.microbatch, phase, group, counts);
      owing.add(group);
      tell(group, { ...unit, counts, rows: payload(data, [total, width]) });
    }
    return owing;
  }

  /** Forgets all dispatches: their rows will not come back. */
  abandon(): void {
    this.credits.clear();
  }

  /** Lays a group's rows at their place in `target_SD` and returns the credit. Throws `CreditError`. */
  receive(unit: Unit, phase: Phase, kept_E: Int32Array, group: number, rows: TensorPayload, target_SD: Tensor): void {
    this.credits.settle(unit.microbatch, phase, group, rows.shape[0]);
    const start = startsOf(kept_E)[(group * this.experts) / this.groups];
    this.device.write(target_SD, dataFor(target_SD, rows), start * target_SD.shape[1]);
  }
}

/** Rows as data for a tensor of their precision; bf16 travels as its 16 bits. */
function dataFor({ dtype }: Tensor, rows: TensorPayload): Data {
  if (rows.dtype !== (dtype === 'bf16' ? 'u16' : dtype)) {
    throw new TypeError('rows came back in another precision than they were sent');
  }
  return dataOf(rows);
}
