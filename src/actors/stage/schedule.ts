/**
 * Whose turn it is in a pipeline stage, by what is ready: a pure decision. Backwards go one after the other in the order of the
 * microbatches, so that gradients add up in it, and before forwards (1F1B); while rows of one microbatch are away, another has
 * its turn.
 */

/** A microbatch that is under way in a stage. */
export interface UnderWay {
  /** Its place among the stage's microbatches. */
  readonly index: number;
  /** `between`: it has gone forward and waits for its way back. */
  readonly phase: 'forward' | 'between' | 'backward';
  /** Whether all rows are there that its next action reads. */
  readonly isReady: boolean;
}

export interface StageState {
  readonly underWay: readonly UnderWay[];
  /** Microbatches that have begun, and of how many. */
  readonly begun: number;
  readonly count: number;
  /** Most that may be under way. */
  readonly window: number;
  /** Whether the rows are there that the next microbatch begins with. */
  readonly canBegin: boolean;
}

/** The index of the microbatch that goes on or begins; null where all wait. */
export function nextTurn({ underWay, begun, count, window, canBegin }: StageState): number | null {
  // Those that are done are not under way any more: the first left is the next to go back.
  const first = underWay.reduce<UnderWay | null>((a, b) => (a === null || b.index < a.index ? b : a), null);
  if (first !== null && first.phase !== 'forward' && first.isReady) return first.index;
  const forward = underWay.filter(({ phase, isReady }) => phase === 'forward' && isReady);
  if (forward.length > 0) return Math.min(...forward.map(({ index }) => index));
  return begun < count && underWay.length < window && canBegin ? begun : null;
}

/**
 * Most microbatches that are under way in a stage at once: one for each stage from here on, as in 1F1B (arXiv 1806.03377), and
 * one more where rows are handed to experts, which has its turn while those are away.
 */
export function windowOf(stage: number, stages: number, microbatches: number, handsOver: boolean): number {
  return Math.min(stages - stage + (handsOver ? 1 : 0), microbatches);
}
