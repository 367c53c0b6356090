/**
 * A step report has what is known of a step when its line of metrics is written: what its votes added up to, and what
 * was decided.
 */
import type { StepMetrics } from '../../telemetry/index.ts';
import type { Topology } from '../../topology/index.ts';
import type { Decision } from '../protocol/parameters.ts';
import type { StepSummary } from './step_summary.ts';

export interface StepReport {
  /** Data steps done, this one included. */
  readonly step: number;
  readonly found: StepSummary;
  readonly decision: Decision;
  /** The loss scale of this step; null where nothing is scaled. */
  readonly lossScale: number | null;
  readonly stepMs: number;
  /** The held-out loss after this step; null where nothing was evaluated. */
  readonly evalLoss: number | null;
}

/** The metrics of a step, but for those that only the systems know. */
export function stepMetrics(
  { training, cluster }: Topology,
  { step, found, decision, lossScale, stepMs, evalLoss }: StepReport,
): Omit<StepMetrics, 'bytes_sent' | 'cpu_ms'> {
  const tokens = training.global_batch_size * training.sequence_length;
  return {
    step,
    loss: found.loss,
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
    expert_load: found.load,
    nodes: cluster.nodes,
    workers: cluster.nodes * cluster.workers_per_node,
    ...(evalLoss === null ? {} : { eval_loss: evalLoss }),
  };
}
