/**
 * The watchdog decides whether a worker hangs, from pings sent and answered. It counts its own ticks and not time:
 * while the main thread sleeps or is stopped there are none, and nobody is found to hang for that.
 */

export interface WatchState {
  /** The number of the last ping sent; 0 before the first. */
  readonly sent: number;
  /** Ticks since a ping was answered that was not answered at the tick before. */
  readonly silentTicks: number;
  readonly answered: number;
}

export const WATCH_START: WatchState = { sent: 0, silentTicks: 0, answered: 0 };

/** What a tick finds: the next state, whose `sent` is the ping to send now, and whether the worker hangs. */
export function tick(
  state: WatchState,
  answered: number,
  maxSilentTicks: number,
): { state: WatchState; hangs: boolean } {
  const isSilent = state.sent > 0 && answered === state.answered;
  const silentTicks = isSilent ? state.silentTicks + 1 : 0;
  return { state: { sent: state.sent + 1, silentTicks, answered }, hangs: silentTicks >= maxSilentTicks };
}
