/** The event log is asked to note what happens to a run, and not told: a line that cannot be written ends the run. */
import { z } from 'zod';
import { ask, defineProtocol, tell } from '../../runtime/index.ts';
import { recovery, routers, trainer } from './callers.ts';

const counts = z.record(z.string(), z.number());

/** `EvaluationMetrics`. */
const evaluationMetricsSchema = z.object({ loss: z.number(), bits_per_byte: z.number().nullable(), losses: counts });

/** `RoutingHealth`. */
const routingHealthSchema = z.object({
  max_violation: z.number(),
  dead: z.number(),
  effective: z.number(),
  logit_size: z.number(),
});

/** `StepMetrics`, as it crosses nodes; keys in the order in which they are written. */
export const stepMetricsSchema = z.object({
  step: z.int(),
  loss: z.number(),
  bits_per_byte: z.number().nullable(),
  losses: counts,
  aux_loss: z.number(),
  z_loss: z.number(),
  lr: z.number(),
  grad_norm: z.number(),
  loss_scale: z.number().exactOptional(),
  tokens: z.number(),
  tokens_per_second: z.number(),
  step_ms: z.number(),
  routed: z.int(),
  processed: z.int(),
  spilled: z.int(),
  dropped: z.int(),
  routing: routingHealthSchema
    .extend({ mixtures: z.record(z.string(), routingHealthSchema).exactOptional() })
    .nullable(),
  expert_load: z.record(z.string(), z.array(z.int()).readonly()),
  credit_wait_ms: counts,
  nodes: z.int(),
  workers: z.int(),
  eval_loss: z.number().exactOptional(),
  evaluations: z.record(z.string(), evaluationMetricsSchema).exactOptional(),
  bytes_sent: counts,
  cpu_ms: counts,
});

/** What gradients are multiplied by changes after a step. */
export const lossScaleChangeSchema = z.object({ step: z.int(), from: z.number(), to: z.number(), reason: z.string() });
export type LossScaleChange = z.infer<typeof lossScaleChangeSchema>;

export const eventLogProtocol = defineProtocol('event_log', {
  step: ask({ fenced: false, from: [trainer], args: stepMetricsSchema }),
  evaluated: ask({
    fenced: false,
    from: [trainer],
    args: z.object({ step: z.int(), evaluations: z.record(z.string(), evaluationMetricsSchema) }),
  }),
  checkpoint: ask({ fenced: false, from: [trainer], args: z.object({ step: z.int(), path: z.string() }) }),
  lossScale: ask({ fenced: false, from: [trainer], args: lossScaleChangeSchema }),
  /** Choices of tokens cannot be written down any more; the run goes on without. */
  unrecorded: tell({ fenced: false, from: [routers], args: z.object({ what: z.string() }) }),
  /** Something went wrong in a step, and what is done about it. */
  incident: ask({
    fenced: false,
    from: [trainer, recovery],
    args: z.object({ step: z.int(), remedy: z.string(), evidence: z.string() }),
  }),
});
