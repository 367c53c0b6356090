/**
 * What a supervisor does when a child ends, as pure functions: given the children, who ended and when others did, they
 * return an action. The supervisor performs it. The rules are OTP's.
 */

import type { ExitReason } from './actor.ts';
import type { Address } from './address.ts';
import type { Restart } from './child_spec.ts';

/** Who is restarted with a failed child: it alone, all, or it and those started after it. */
export type Strategy = 'one_for_one' | 'one_for_all' | 'rest_for_one';

export interface Backoff {
  /** Wait before the first restart of a period, in milliseconds. */
  readonly firstMs: number;
  /** Each further restart in the period waits this much longer. */
  readonly factor: number;
  readonly maxMs: number;
}

export interface SupervisionOptions {
  readonly strategy: Strategy;
  /**
   * More than `intensity` restarts within `periodMs` and the supervisor itself fails: of one child with `one_for_one`, of
   * all together else.
   */
  readonly intensity: number;
  readonly periodMs: number;
  readonly backoff: Backoff;
}

export const SUPERVISION: SupervisionOptions = {
  strategy: 'one_for_one',
  intensity: 3,
  periodMs: 5_000,
  backoff: { firstMs: 50, factor: 2, maxMs: 5_000 },
};

export interface ChildState {
  readonly address: Address;
  readonly restart: Restart;
}

/** A child that ended, among its siblings in start order. */
export interface Ending {
  readonly children: readonly ChildState[];
  readonly ended: Address;
  readonly reason: ExitReason;
  readonly nowMs: number;
  /** When earlier restarts were decided, of the ended child or of all: see `intensity`. */
  readonly restartsMs: readonly number[];
}

export interface RestartAction {
  readonly kind: 'restart';
  /** Siblings to stop first, in this order; the ended child is not among them. */
  readonly stop: readonly Address[];
  /** Children to start after `delayMs`, in this order. */
  readonly start: readonly Address[];
  readonly delayMs: number;
  readonly restartsMs: readonly number[];
}

export type Action = { readonly kind: 'forget' } | RestartAction | { readonly kind: 'escalate' };

/** Decides what follows when a child has ended. */
export function decide(options: SupervisionOptions, ending: Ending): Action {
  const { children, ended, reason, nowMs } = ending;
  const child = children.find(({ address }) => address === ended);
  if (child === undefined || !isRestarted(child.restart, reason)) return { kind: 'forget' };
  const restartsMs = [...ending.restartsMs.filter((ms) => nowMs - ms < options.periodMs), nowMs];
  if (restartsMs.length > options.intensity) return { kind: 'escalate' };
  const together = affected(options.strategy, children, ended);
  const stop = together.filter(({ address }) => address !== ended).map(({ address }) => address);
  const start = together.filter((c) => c.address === ended || c.restart !== 'temporary').map(({ address }) => address);
  return {
    kind: 'restart',
    stop: stop.reverse(),
    start,
    delayMs: delayOf(options.backoff, restartsMs.length),
    restartsMs,
  };
}

/** Whether a child of this kind is restarted after ending so. */
export function isRestarted(restart: Restart, reason: ExitReason): boolean {
  if (restart === 'temporary') return false;
  return restart === 'permanent' || reason !== 'stopped';
}

/** The children that go down and up together with `ended`, in start order. */
export function affected(strategy: Strategy, children: readonly ChildState[], ended: Address): readonly ChildState[] {
  const index = children.findIndex(({ address }) => address === ended);
  if (strategy === 'one_for_one') return children.slice(index, index + 1);
  return strategy === 'rest_for_one' ? children.slice(index) : children;
}

/** Wait before the `nth` restart of a period, counted from 1. */
export function delayOf({ firstMs, factor, maxMs }: Backoff, nth: number): number {
  return Math.min(maxMs, firstMs * factor ** (nth - 1));
}
