/**
 * The order in which a pipeline stage takes its microbatches: one forward, one backward (1F1B), after a warm-up of as
 * many forwards as there are stages behind it. Pure; with one stage it is forward, backward, forward, backward.
 */
export interface Turn {
  readonly phase: 'forward' | 'backward';
  readonly microbatch: number;
}

/** Turns of stage `stage` of `stages` for `microbatches`; without backward when only the loss is wanted. */
export function schedule(stage: number, stages: number, microbatches: number, withBackward = true): Turn[] {
  const forward = (microbatch: number): Turn => ({ phase: 'forward', microbatch });
  if (!withBackward) return Array.from({ length: microbatches }, (_, i) => forward(i));
  const warmUp = Math.min(stages - 1 - stage, microbatches);
  const turns = Array.from({ length: warmUp }, (_, i) => forward(i));
  for (let i = 0; i < microbatches; i++) {
    if (warmUp + i < microbatches) turns.push(forward(warmUp + i));
    turns.push({ phase: 'backward', microbatch: i });
  }
  return turns;
}

/** Most microbatches of a stage that are between their forward and the end of their backward. */
export function depth(stage: number, stages: number, microbatches: number): number {
  return Math.min(stages - stage, microbatches);
}
