/** The health of routing in a step, as `metrics.jsonl` has it: of the mixture in which each number is worst, or of one mixture. */

export interface RoutingHealth {
  /** Load of the fullest expert ÷ the mean load − 1: 0 at perfect balance. */
  readonly max_violation: number;
  /** Share of experts that no token chose. */
  readonly dead: number;
  /** exp(H) ÷ experts, with the entropy H of the load: the share of experts that an even load would take. */
  readonly effective: number;
  /** Root of the mean over tokens of logsumexp(logits)². */
  readonly logit_size: number;
}

/** Of all mixtures, and where the topology asks for it of each. */
export interface RoutingMetrics extends RoutingHealth {
  readonly mixtures?: Readonly<Record<string, RoutingHealth>>;
}
