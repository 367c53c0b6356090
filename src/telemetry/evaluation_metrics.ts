/** What an evaluation came to, as a line of `metrics.jsonl` has it; keys as in a step's. */
export interface EvaluationMetrics {
  readonly loss: number;
  readonly bits_per_byte: number | null;
  readonly losses: Readonly<Record<string, number>>;
}
