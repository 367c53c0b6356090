/** The routing reports of a router say what it did with each microbatch of the pass under way, until the pass is over. */
import type { Mixture } from '../../models/model.ts';
import { keyOf, type Unit } from '../protocol/pass.ts';
import type { RoutingReport } from '../protocol/report.ts';
import type { Routing } from './admission.ts';
import type { GateFigures } from './router_gates.ts';

export class RoutingReports {
  private readonly mixture: Pick<Mixture, 'name' | 'number'>;
  private readonly reports = new Map<string, RoutingReport>();

  constructor(mixture: Pick<Mixture, 'name' | 'number'>) {
    this.mixture = mixture;
  }

  /** Text that is made has no report. */
  add(unit: Unit, { routed, spilled, dropped, routed_E, order_S }: Routing, figures: GateFigures): void {
    if (unit.kind === 'decode') return;
    const { name: mixture, number: order } = this.mixture;
    const { microbatch } = unit;
    const counts = { routed, sent: order_S.length, spilled, dropped, load: Array.from(routed_E) };
    this.reports.set(keyOf(unit), { mixture, order, microbatch, ...counts, ...figures });
  }

  /** The balance loss of a microbatch is known anew: the load of its whole step has come. */
  balance(unit: Unit, auxLoss: number): void {
    const report = this.reports.get(keyOf(unit));
    if (report !== undefined) this.reports.set(keyOf(unit), { ...report, auxLoss });
  }

  /** All of them, which are gone then. */
  take(): RoutingReport[] {
    const reports = [...this.reports.values()];
    this.clear();
    return reports;
  }

  clear(): void {
    this.reports.clear();
  }
}
