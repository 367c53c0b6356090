/**
 * A step report has what is known of a step when its line of metrics is written: what its votes added up to, and what
 * was decided.
 */
import type { EvaluationMetrics, StepMetrics } from '../../telemetry/index.ts';
import { heldOutName, type Topology } from '../../topology/index.ts';
import type { AppliedDecision } from '../protocol/parameters.ts';
import type { Evaluations } from './evaluation.ts';
import type { Losses } from './losses.ts';
import { routingMetrics } from './routing_metrics.ts';
import type { StepSummary } from './step_summary.ts';

export interface StepReport {
  /** Data steps done, this one included. */
  readonly step: number;
  readonly found: StepSummary;
  readonly decision: AppliedDecision;
  /** The loss scale of this step; null where nothing is scaled. */
  readonly lossScale: number | null;
  readonly stepMs: number;
  /** What the evaluations after this step came to, by name; null where nothing was evaluated. */
  readonly evaluations: Evaluations | null;
}

/** The metrics of a step, but for those that only the systems know. */
export function stepMetrics(
  { training, cluster, moe }: Topology,
  { step, found, decision, lossScale, stepMs, evaluations }: StepReport,
): Omit<StepMetrics, 'bytes_sent' | 'cpu_ms'> {
  const tokens = training.global_batch_size * training.sequence_length;
  return {
    step,
    ...lossMetrics(found),
    aux_loss: found.auxLoss,
    z_loss: found.zLoss,
    lr: decision.lr,
    grad_norm: found.gradNorm,
    ...(lossScale === null ? {} : { loss_scale: lossScale }),
    tokens,
    tokens_per_second: (tokens / stepMs) * 1000,
    step_ms: stepMs,
    routed: found.routed,
    processed: found.processed,
    spilled: found.spilled,
    dropped: found.dropped,
    ...routingMetrics(found, moe?.metrics),
    credit_wait_ms: found.creditWaitMs,
    nodes: cluster.nodes,
    workers: cluster.nodes * cluster.workers_per_node,
    ...evaluationMetrics(evaluations),
  };
}

/** What a line has of losses. */
export const lossMetrics = ({ loss, bitsPerByte, losses }: Losses): EvaluationMetrics => ({
  loss,
  bits_per_byte: bitsPerByte,
  losses,
});

function evaluationMetrics(evaluations: Evaluations | null): Pick<StepMetrics, 'eval_loss' | 'evaluations'> {
  if (evaluations === null) return {};
  const { [heldOutName]: heldOut } = evaluations;
  return { ...(heldOut === undefined ? {} : { eval_loss: heldOut.loss }), evaluations };
}
