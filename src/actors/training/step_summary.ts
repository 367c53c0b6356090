/**
 * A step summary is what the votes of a step add up to, in an order that arrival cannot change: losses by microbatch,
 * balance losses by mixture and microbatch, norms by tensor name.
 */
import { globalNorm } from '../parameters/gradient_norm.ts';
import type { RoutingHealth } from '../../telemetry/index.ts';
import type { Vote } from '../protocol/parameters.ts';
import type { RoutingReport, Sum } from '../protocol/report.ts';
import { added } from '../protocol/added.ts';
import { denominatorName } from '../stage/microbatch_sums.ts';
import { lossesOf, type Losses } from './losses.ts';
import { healthOf } from './routing_health.ts';

export interface StepSummary extends Losses, RowCounts {
  readonly auxLoss: number;
  readonly zLoss: number;
  readonly gradNorm: number;
  /** Milliseconds that rows waited for credit, by expert group. */
  readonly creditWaitMs: Readonly<Record<string, number>>;
  /** Choices of each expert before dropping, by mixture. */
  readonly load: Readonly<Record<string, readonly number[]>>;
  /** Of each mixture that tokens came to. */
  readonly health: Readonly<Record<string, RoutingHealth>>;
}

/** (Token, choice) pairs of one mixture in one step. */
export interface RowCounts {
  readonly routed: number;
  readonly processed: number;
  readonly spilled: number;
  readonly dropped: number;
}

/** Rows were lost or made on their way: a bug, never a number. */
export class RowsNotConserved extends Error {
  readonly tag = 'RowsNotConserved';
  constructor(step: number, mixture: string, { routed, processed, spilled, dropped }: RowCounts) {
    super(
      `step ${step}, mixture ${mixture}: ${routed} rows routed, but ${processed} processed + ${spilled} spilled + ` +
        `${dropped} dropped; the step is not applied`,
    );
    this.name = 'RowsNotConserved';
  }
}

/** Loss and gradient of a step were divided by different numbers: the data was counted wrong. Always a bug. */
export class DenominatorsDiffer extends Error {
  readonly tag = 'DenominatorsDiffer';
  constructor(step: number, denominator: number, weight: number) {
    super(
      `step ${step}: the gradient was divided by ${denominator}, and the losses count ${weight}; the step is not applied`,
    );
    this.name = 'DenominatorsDiffer';
  }
}

/** Adds up a training step over `microbatches` global microbatches, its gradients unscaled. Throws `RowsNotConserved`, `DenominatorsDiffer`. */
export function summarise(step: number, votes: readonly Vote[], microbatches: number, lossScale = 1): StepSummary {
  const sums = votes.flatMap((vote) => vote.sums);
  checkDenominator(step, sums);
  const reports = votes
    .flatMap((vote) => vote.routing)
    .sort((a, b) => a.order - b.order || a.microbatch - b.microbatch);
  const mixtures = [...new Set(reports.map(({ mixture }) => mixture))];
  const each = mixtures.map((mixture) => mixtureSummary(step, mixture, reports, votes));
  const sum = (of: (mixture: (typeof each)[number]) => number): number =>
    each.reduce((total, mixture) => total + of(mixture), 0);
  return {
    ...lossesOf(sums),
    auxLoss: sum((mixture) => mixture.auxLoss / microbatches),
    zLoss: sum((mixture) => mixture.zLoss / microbatches),
    gradNorm: globalNorm(Object.assign({}, ...votes.map((vote) => vote.squares)) as Record<string, number>) / lossScale,
    routed: sum((mixture) => mixture.routed),
    processed: sum((mixture) => mixture.processed),
    spilled: sum((mixture) => mixture.spilled),
    dropped: sum((mixture) => mixture.dropped),
    creditWaitMs: added(votes.map((vote) => vote.creditWaitMs)),
    load: Object.fromEntries(each.map(({ mixture, load }) => [mixture, load])),
    health: Object.fromEntries(each.flatMap(({ mixture, health }) => (health === null ? [] : [[mixture, health]]))),
  };
}

function checkDenominator(step: number, sums: readonly Sum[]): void {
  const shares = sums.filter(({ name }) => name === denominatorName);
  const weight = shares.reduce((total, share) => total + share.weight, 0);
  const wrong = shares.find(({ sum }) => sum !== weight);
  if (wrong !== undefined) throw new DenominatorsDiffer(step, wrong.sum, weight);
}

function mixtureSummary(step: number, mixture: string, reports: readonly RoutingReport[], votes: readonly Vote[]) {
  const own = reports.filter((report) => report.mixture === mixture);
  const sum = (of: (report: RoutingReport) => number): number => own.reduce((total, report) => total + of(report), 0);
  const routed = sum((report) => report.routed);
  const spilled = sum((report) => report.spilled);
  const dropped = sum((report) => report.dropped);
  // What experts had of tokens that had spilled is told apart.
  const processed = votes.reduce((total, vote) => total + (vote.processed[mixture] ?? 0), 0) - spilled;
  if (routed !== processed + spilled + dropped)
    throw new RowsNotConserved(step, mixture, { routed, processed, spilled, dropped });
  const load = own.reduce<number[]>((total, report) => report.load.map((n, e) => n + (total[e] ?? 0)), []);
  return {
    mixture,
    routed,
    processed,
    spilled,
    dropped,
    load,
    health: healthOf({ load, tokens: sum((r) => r.tokens), logitSquares: sum((r) => r.logitSquares) }),
    auxLoss: sum((r) => r.auxLoss),
    zLoss: sum((r) => r.zLoss),
  };
}
