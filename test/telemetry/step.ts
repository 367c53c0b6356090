/** A line of metrics with plain values, for tests to vary. */
import type { StepMetrics } from '../../src/telemetry/index.ts';

export function stepMetrics(step: number, changes: Partial<StepMetrics> = {}): StepMetrics {
  return {
    step,
    loss: 2.5,
    bits_per_byte: null,
    losses: {},
    aux_loss: 0.02,
    z_loss: 0,
    lr: 0.002,
    grad_norm: 1.25,
    tokens: 4096,
    tokens_per_second: 5000,
    step_ms: 819.2,
    routed: 8192,
    processed: 8000,
    spilled: 0,
    dropped: 192,
    expert_load: { 1: [2048, 2048], 3: [4096, 0] },
    bytes_sent: { local: 1024 },
    routing: null,
    credit_wait_ms: {},
    cpu_ms: { 'node-0': 20 },
    nodes: 1,
    workers: 1,
    ...changes,
  };
}
