/**
 * The load of a whole step, for a balance loss over the global batch: every router counts what its tokens chose, the routers of
 * one mixture tell each other once all their microbatches have gone forward, and the counts of all ranks are what f is of. Counts
 * are whole numbers, so that no order of arrival matters.
 */
import type { MixtureConfig } from '../../models/config.ts';
import type { Choices } from './admission.ts';
import { countOf, type StepLoad } from './load.ts';

type Rule = Pick<MixtureConfig, 'num_experts' | 'top_k' | 'aux_loss_choices'>;

export class GlobalLoad {
  private readonly rule: Rule;
  /** Microbatches of a step on this rank, and ranks. */
  private readonly microbatches: number;
  private readonly dataRanks: number;
  private readonly own = new Map<number, { counts: number[]; live: number; done: number }>();
  private readonly told = new Map<number, Map<string, StepLoad>>();

  constructor(rule: Rule, { microbatches, dataRanks }: { microbatches: number; dataRanks: number }) {
    this.rule = rule;
    this.microbatches = microbatches;
    this.dataRanks = dataRanks;
  }

  /** Counts a microbatch of a step; the load of this rank once it has all of them. */
  add(step: number, choices: Choices, rows: number): StepLoad | null {
    const own = this.own.get(step) ?? { counts: new Array<number>(this.rule.num_experts).fill(0), live: 0, done: 0 };
    this.own.set(step, own);
    const { counts, live } = countOf(choices, this.rule, { rows, first: 0, count: rows });
    counts.forEach((count, expert) => (own.counts[expert] += count));
    own.live += live;
    own.done++;
    if (own.done < this.microbatches) return null;
    this.own.delete(step);
    return own;
  }

  /** What a rank, by its address, has counted. */
  hear(step: number, from: string, load: StepLoad): void {
    const told = this.told.get(step) ?? new Map<string, StepLoad>();
    this.told.set(step, told.set(from, load));
  }

  /** The load of a step over all ranks; null while one of them has not told. */
  of(step: number): StepLoad | null {
    const told = this.told.get(step);
    if (told === undefined || told.size < this.dataRanks) return null;
    const counts = new Array<number>(this.rule.num_experts).fill(0);
    for (const load of told.values()) load.counts.forEach((count, expert) => (counts[expert] += count));
    return { counts, live: [...told.values()].reduce((sum, { live }) => sum + live, 0) };
  }

  /** Forgets a step that is over, or all. */
  forget(step: number | null = null): void {
    for (const known of [this.own, this.told]) {
      if (step === null) known.clear();
      else known.delete(step);
    }
  }
}
