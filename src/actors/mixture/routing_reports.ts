/**
 * The routing reports of a router say what it did with each microbatch of the pass under way, until the pass is over; what its
 * tokens chose goes to the choice log.
 */
import type { Mixture } from '../../models/model.ts';
import { keyOf, type Unit } from '../protocol/pass.ts';
import type { RoutingReport } from '../protocol/report.ts';
import type { Choices, Routing } from './admission.ts';
import type { ChoiceLog } from './choice_log.ts';
import type { GateFigures } from './router_gates.ts';

export class RoutingReports {
  private readonly mixture: Pick<Mixture, 'name' | 'number'>;
  private readonly log: Omit<ChoiceLog, 'recorded'>;
  private readonly reports = new Map<string, RoutingReport>();

  constructor(mixture: Pick<Mixture, 'name' | 'number'>, log: Omit<ChoiceLog, 'recorded'>) {
    this.mixture = mixture;
    this.log = log;
  }

  /** Text that is made has no report. */
  add(unit: Unit, { choices_RP }: Pick<Choices, 'choices_RP'>, routing: Routing, figures: GateFigures): void {
    this.log.note(unit, choices_RP);
    if (unit.kind === 'decode') return;
    const { name: mixture, number: order } = this.mixture;
    const { microbatch } = unit;
    const { routed, spilled, dropped, routed_E, order_S } = routing;
    const counts = { routed, sent: order_S.length, spilled, dropped, load: Array.from(routed_E) };
    this.reports.set(keyOf(unit), { mixture, order, microbatch, ...counts, ...figures });
  }

  /** The balance loss of a microbatch is known anew: the load of its whole step has come. */
  balance(unit: Unit, auxLoss: number): void {
    const report = this.reports.get(keyOf(unit));
    if (report !== undefined) this.reports.set(keyOf(unit), { ...report, auxLoss });
  }

  /** All of them, which are gone then; and why choices are not written down any more, if that is new. */
  take(): { readonly reports: RoutingReport[]; readonly unwritten: string | null } {
    const reports = [...this.reports.values()];
    this.reports.clear();
    return { reports, unwritten: this.log.flush() };
  }

  /** Their pass was left. */
  clear(): void {
    this.reports.clear();
    this.log.drop();
  }
}
