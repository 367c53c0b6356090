/**
 * The sentinel judges a step: purely, from what the votes say and what happened lately. No number, and a spike where the
 * topology asks for that, are incidents. Its ladder here has two rungs, skip the batch and stop; never the same remedy twice
 * for one incident.
 */

export interface Findings {
  readonly step: number;
  readonly loss: number;
  readonly gradNorm: number;
}

export type Judgement =
  | { readonly verdict: 'commit' }
  | { readonly verdict: 'skip'; readonly evidence: string }
  | { readonly verdict: 'stop'; readonly evidence: string };

/** Judges a step with the spikes found in it, in words; `skipped` is how many steps right before this one were skipped. */
export function judge({ loss, gradNorm }: Findings, spikes: readonly string[], skipped: number): Judgement {
  const numberless = [
    ...(Number.isFinite(loss) ? [] : [`loss is ${loss}`]),
    ...(Number.isFinite(gradNorm) ? [] : [`gradient norm is ${gradNorm}`]),
  ];
  // What is no number is no spike of one.
  const bad = numberless.length === 0 ? spikes : numberless;
  if (bad.length === 0) return { verdict: 'commit' };
  return { verdict: skipped === 0 ? 'skip' : 'stop', evidence: bad.join(', ') };
}

/** Two incidents in a row: the run cannot mend itself. */
export class Unstable extends Error {
  readonly tag = 'Unstable';
  readonly exitCode = 1;
  constructor(step: number, evidence: string) {
    super(
      `step ${step}: ${evidence}, and skipping the batch before did not help; start a new run with a lower optimizer.lr`,
    );
    this.name = 'Unstable';
  }
}

/** A step was left with its gen too often. */
export class StepNotPassing extends Error {
  readonly tag = 'StepNotPassing';
  readonly exitCode = 1;
  constructor(step: number, times: number, what: string) {
    super(
      `step ${step}: aborted ${times} times in a row, the last time because of ${what}; ` +
        'mend the network between the nodes, then continue with --resume',
    );
    this.name = 'StepNotPassing';
  }
}
