/**
 * One line of `metrics.jsonl`: everything that a step measured. The keys are the file's format, so they are spelled as
 * in the file; losses are in nats a token, counts are of (token, expert) pairs.
 */
import type { EvaluationMetrics } from './evaluation_metrics.ts';
import type { RoutingMetrics } from './routing_health.ts';

export interface StepMetrics {
  readonly step: number;
  /** Mean loss of the batch: cross-entropy in nats a token, where tokens are predicted. */
  readonly loss: number;
  /** The loss in bits a byte of text, whatever the tokenizer; null where it is not of text. */
  readonly bits_per_byte: number | null;
  /** Means of what else the objective reports, by name, and by corpus where there are several: `loss/docs`, `bits_per_byte/docs`. */
  readonly losses: Readonly<Record<string, number>>;
  readonly aux_loss: number;
  readonly z_loss: number;
  readonly lr: number;
  /** Global gradient norm before clipping. */
  readonly grad_norm: number;
  /** What gradients were multiplied by while they were made; only in fp16. */
  readonly loss_scale?: number;
  /** Tokens of the global batch. */
  readonly tokens: number;
  readonly tokens_per_second: number;
  readonly step_ms: number;
  /** `routed = processed + spilled + dropped`, over all mixture-of-experts layers; all 0 for a dense model. */
  readonly routed: number;
  readonly processed: number;
  readonly spilled: number;
  readonly dropped: number;
  /** How evenly experts were loaded; null where a model has none. */
  readonly routing: RoutingMetrics | null;
  /**
   * Tokens that chose each expert, by mixture: the number of its layer, or that and a name where a layer has several. Empty where
   * it is left out, see `moe.metrics`.
   */
  readonly expert_load: Readonly<Record<string, readonly number[]>>;
  /** Milliseconds that rows waited for credit of each expert group that let them wait. */
  readonly credit_wait_ms: Readonly<Record<string, number>>;
  /** Bytes sent in the step, by transport: `local`, `thread`, `nats`. */
  readonly bytes_sent: Readonly<Record<string, number>>;
  /** CPU time of each thread in the step, in ms, by system: a node's main thread, its workers, the launcher. */
  readonly cpu_ms: Readonly<Record<string, number>>;
  readonly nodes: number;
  readonly workers: number;
  /** Loss on held-out data, on evaluated steps only. */
  readonly eval_loss?: number;
  /** What each evaluation came to, by its name, on evaluated steps only. */
  readonly evaluations?: Readonly<Record<string, EvaluationMetrics>>;
}
