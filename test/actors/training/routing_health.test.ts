/** How evenly experts were loaded, and what of it a line of metrics has. */
import { describe, expect, it } from 'vitest';
import { healthOf, worstOf } from '../../../src/actors/training/routing_health.ts';
import { routingMetrics } from '../../../src/actors/training/routing_metrics.ts';
import type { RoutingHealth } from '../../../src/telemetry/index.ts';

const use = (load: readonly number[]) => ({ load, tokens: 4, logitSquares: 36 });

describe('the health of a mixture', () => {
  it('is all well at perfect balance', () => {
    expect(healthOf(use([5, 5, 5, 5]))).toEqual({ max_violation: 0, dead: 0, effective: 1, logit_size: 3 });
  });

  it('is at its worst where one expert has all', () => {
    expect(healthOf(use([0, 8, 0, 0]))).toEqual({ max_violation: 3, dead: 0.75, effective: 0.25, logit_size: 3 });
  });

  it('counts half of the experts where half share all evenly', () => {
    const { effective = 0, ...rest } = healthOf(use([6, 0, 6, 0])) ?? {};
    expect(effective).toBeCloseTo(0.5, 15);
    expect(rest).toEqual({ max_violation: 1, dead: 0.5, logit_size: 3 });
  });

  it('is nothing where no token came', () => {
    expect(healthOf({ load: [0, 0], tokens: 0, logitSquares: 0 })).toBeNull();
  });

  it('of several is the worst of each number', () => {
    const each = [
      { max_violation: 3, dead: 0, effective: 0.5, logit_size: 1 },
      { max_violation: 1, dead: 0.5, effective: 0.25, logit_size: 2 },
    ];
    expect(worstOf(each)).toEqual({ max_violation: 3, dead: 0.5, effective: 0.25, logit_size: 2 });
    expect(worstOf([])).toBeNull();
  });
});

const found = (mixtures: number, experts: number) => {
  const names = Array.from({ length: mixtures }, (_, i) => `${i}`);
  const health: RoutingHealth = { max_violation: 0, dead: 0, effective: 1, logit_size: 2 };
  return {
    load: Object.fromEntries(names.map((name) => [name, Array.from({ length: experts }, () => 1)])),
    health: Object.fromEntries(names.map((name) => [name, health])),
  };
};

describe('a line of metrics', () => {
  it('has the loads of small mixtures, and of large ones their health alone', () => {
    const worst = { max_violation: 0, dead: 0, effective: 1, logit_size: 2 };
    expect(routingMetrics(found(4, 64))).toEqual({ routing: worst, expert_load: found(4, 64).load });
    expect(routingMetrics(found(5, 64))).toEqual({ routing: worst, expert_load: {} });
  });

  it('has all of the first 64 mixtures where it is asked for in full', () => {
    const { routing, expert_load: loads } = routingMetrics(found(70, 2048), 'full');
    const first = Array.from({ length: 64 }, (_, i) => `${i}`);
    expect(Object.keys(routing?.mixtures ?? {})).toEqual(first);
    expect(Object.keys(loads)).toEqual(first);
    expect(loads[63]).toHaveLength(2048);
  });

  it('of a dense model has no routing', () => {
    expect(routingMetrics({ load: {}, health: {} })).toEqual({ routing: null, expert_load: {} });
  });
});
