/** A step in the trainer's hand is open first, then decided, then applied by all; each time more is known of it. */
import type { Decision } from '../protocol/decision.ts';
import type { AppliedDecision } from '../protocol/parameters.ts';
import type { Vote } from '../protocol/parameters.ts';
import type { StepSummary } from './step_summary.ts';
import type { Counts } from './system_counts.ts';

/** A step that the roles work on. */
export interface OpenStep {
  /** The loss scale that its gradients are made with; null where nothing is scaled. */
  readonly lossScale: number | null;
  readonly startMs: number;
  /** The votes of all; null until they are there. */
  votes: readonly Vote[] | null;
}

/** A step whose decision is recorded, and on its way to the roles. */
export interface DecidedStep extends Pick<OpenStep, 'lossScale' | 'startMs'> {
  /** As it is recorded. */
  readonly standing: Decision;
  /** What of it the roles apply. */
  readonly decision: AppliedDecision;
  readonly found: StepSummary;
}

/** A step whose decision all have applied; it may still have to be evaluated, logged and checkpointed. */
export interface AppliedStep extends DecidedStep {
  readonly stepMs: number;
  /** What the systems counted in the step; null while that has to be asked for. */
  counts: Counts | null;
  isLogged: boolean;
}
