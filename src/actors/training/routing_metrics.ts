/**
 * What a line of metrics has of routing: the worst of every mixture always, loads by expert and health by mixture as far as they
 * are asked for. So a line stays short, however many experts there are.
 */
import type { StepMetrics } from '../../telemetry/index.ts';
import type { MoeSection } from '../../topology/index.ts';
import { worstOf } from './routing_health.ts';
import type { StepSummary } from './step_summary.ts';

/** Mixtures that a line tells apart, the first ones. */
const mostMixtures = 64;
/** Loads that a brief line has, of all mixtures together. */
const mostLoads = 256;

/** Of a step. */
export function routingMetrics(
  { load, health }: Pick<StepSummary, 'load' | 'health'>,
  how: MoeSection['metrics'] = 'brief',
): Pick<StepMetrics, 'routing' | 'expert_load'> {
  const worst = worstOf(Object.values(health));
  const loads = Object.entries(load);
  const isFull = how === 'full';
  const numbers = loads.reduce((sum, [, { length }]) => sum + length, 0);
  const mixtures = isFull ? { mixtures: Object.fromEntries(Object.entries(health).slice(0, mostMixtures)) } : {};
  return {
    routing: worst === null ? null : { ...worst, ...mixtures },
    expert_load: isFull || numbers <= mostLoads ? Object.fromEntries(loads.slice(0, mostMixtures)) : {},
  };
}
