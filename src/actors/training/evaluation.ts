/** An evaluation is data that is scored now and then, beside training and without changing anything. */
import type { EvaluationMetrics } from '../../telemetry/index.ts';

export interface Evaluation {
  readonly name: string;
  /** Microbatches that hold all of its data; 0 where there is none. */
  readonly microbatches: number;
}

/** What evaluations came to, by name. */
export type Evaluations = Readonly<Record<string, EvaluationMetrics>>;
