/**
 * A step summary is what the votes of a step add up to, in an order that arrival cannot change: losses by microbatch,
 * balance losses by layer and microbatch, norms by tensor name.
 */
import { globalNorm } from '../parameters/gradient_norm.ts';
import type { Vote } from '../protocol/parameters.ts';
import type { RoutingReport, Sum } from '../protocol/report.ts';
import { denominatorName } from '../stage/microbatch_sums.ts';
import { lossesOf, type Losses } from './losses.ts';

export interface StepSummary extends Losses {
  readonly auxLoss: number;
  readonly zLoss: number;
  readonly gradNorm: number;
  readonly routed: number;
  readonly processed: number;
  readonly spilled: number;
  readonly dropped: number;
  /** Choices of each expert before dropping, by layer. */
  readonly load: Readonly<Record<string, readonly number[]>>;
}

/** Rows were lost or made on their way: a bug, never a number. */
export class RowsNotConserved extends Error {
  readonly tag = 'RowsNotConserved';
  constructor(step: number, layer: number, routed: number, processed: number, spilled: number, dropped: number) {
    super(
      `step ${step}, layer ${layer}: ${routed} rows routed, but ${processed} processed + ${spilled} spilled + ` +
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
    .sort((a, b) => a.layer - b.layer || a.microbatch - b.microbatch);
  const layers = [...new Set(reports.map((report) => report.layer))];
  const perLayer = layers.map((layer) => layerSummary(step, layer, reports, votes));
  const sum = (of: (layer: (typeof perLayer)[number]) => number): number =>
    perLayer.reduce((total, layer) => total + of(layer), 0);
  return {
    ...lossesOf(sums),
    auxLoss: sum((layer) => layer.auxLoss / microbatches),
    zLoss: sum((layer) => layer.zLoss / microbatches),
    gradNorm: globalNorm(Object.assign({}, ...votes.map((vote) => vote.squares)) as Record<string, number>) / lossScale,
    routed: sum((layer) => layer.routed),
    processed: sum((layer) => layer.processed),
    spilled: sum((layer) => layer.spilled),
    dropped: sum((layer) => layer.dropped),
    load: Object.fromEntries(perLayer.map(({ layer, load }) => [layer, load])),
  };
}

function checkDenominator(step: number, sums: readonly Sum[]): void {
  const shares = sums.filter(({ name }) => name === denominatorName);
  const weight = shares.reduce((total, share) => total + share.weight, 0);
  const wrong = shares.find(({ sum }) => sum !== weight);
  if (wrong !== undefined) throw new DenominatorsDiffer(step, wrong.sum, weight);
}

function layerSummary(step: number, layer: number, reports: readonly RoutingReport[], votes: readonly Vote[]) {
  const own = reports.filter((report) => report.layer === layer);
  const sum = (of: (report: RoutingReport) => number): number => own.reduce((total, report) => total + of(report), 0);
  const routed = sum((report) => report.routed);
  const spilled = sum((report) => report.spilled);
  const dropped = sum((report) => report.dropped);
  const processed = votes.reduce((total, vote) => total + (vote.processed[layer] ?? 0), 0);
  if (routed !== processed + spilled + dropped)
    throw new RowsNotConserved(step, layer, routed, processed, spilled, dropped);
  const load = own.reduce<number[]>((total, report) => report.load.map((n, e) => n + (total[e] ?? 0)), []);
  return {
    layer,
    routed,
    processed,
    spilled,
    dropped,
    load,
    auxLoss: sum((r) => r.auxLoss),
    zLoss: sum((r) => r.zLoss),
  };
}
