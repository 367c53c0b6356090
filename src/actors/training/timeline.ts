/**
 * A timeline is a line of decisions, one a step. A run begins on timeline 0; where it goes back to an earlier step, or runs one
 * again, it goes on upon the next, and what was decided on the one before stands there still (PostgreSQL's timelines are the same
 * idea). A history knows where each of them began, and so whose decision about a step counts.
 */
import { beginOf, nothingAmended, type Amendment, type Decision } from '../protocol/decision.ts';
import type { DecisionStore } from './decision_store.ts';

/** Where a state of the parameters is: after so many steps of a timeline. */
export interface TimelinePlace {
  readonly timeline: number;
  /** Data steps done. */
  readonly step: number;
}

/** The beginning of a timeline. */
export interface Fork extends TimelinePlace {
  /** The last decision of the timeline before; null where nobody knows it any more, or there is none. */
  readonly by: Decision | null;
  readonly amend: Amendment;
}

export class History {
  /** In order; those before the first are not known. */
  private readonly forks: readonly Fork[];

  private constructor(forks: readonly Fork[]) {
    this.forks = forks;
  }

  /** The history of a run of which nothing is known but where it begins. */
  static from(place: TimelinePlace, amend: Amendment = nothingAmended): History {
    return new History([{ ...place, by: null, amend }]);
  }

  /** This history and the timeline that `by`, on the current one, opens. Throws `RangeError` if it opens none. */
  forked(by: Decision): History {
    const step = beginOf(by);
    if (step === null || by.timeline !== this.current) {
      throw new RangeError(
        `the decision about step ${by.step} of timeline ${by.timeline} opens none behind ${this.current}`,
      );
    }
    const fork = { timeline: by.timeline + 1, step, by, amend: by.amend ?? this.amend };
    return new History([...this.forks, fork]);
  }

  /** The timeline that the run is on. */
  get current(): number {
    return this.last.timeline;
  }

  /** What remedies have left on it. */
  get amend(): Amendment {
    return this.last.amend;
  }

  /** The timeline whose decision about `step` counts. */
  ownerOf(step: number): number {
    return (this.forks.findLast((fork) => fork.step <= step) ?? this.forks[0]).timeline;
  }

  /** The decision that has opened the timeline of `step`, if it begins with that step. */
  openedAt(step: number): Decision | null {
    const fork = this.forks.findLast((each) => each.step <= step);
    return fork?.step === step ? fork.by : null;
  }

  /**
   * The data steps that have to be done at most for a state to be of this history, if that at `place` is not: a later timeline has
   * left its own before that step. Null if it is.
   */
  leftAt({ timeline, step }: TimelinePlace): number | null {
    const later = this.forks.filter((fork) => fork.timeline > timeline && fork.step < step);
    return later.length === 0 ? null : Math.min(...later.map((fork) => fork.step));
  }

  private get last(): Fork {
    return this.forks[this.forks.length - 1];
  }
}

/**
 * The history of a run by what was decided. `place` is that of the state which the run goes on from, with what remedies had left
 * there: where the store has lost what led to it, the history begins with it.
 */
export async function historyOf(
  store: Pick<DecisionStore, 'find' | 'newest'>,
  place: TimelinePlace,
  amend?: Amendment,
): Promise<History> {
  const whole = await followed(store, History.from({ timeline: 0, step: 0 }));
  return whole.current >= place.timeline ? whole : await followed(store, History.from(place, amend));
}

/** Follows the last decision of each timeline to the next one. */
async function followed(store: Pick<DecisionStore, 'find' | 'newest'>, begun: History): Promise<History> {
  let history = begun;
  for (;;) {
    const newest = await store.newest(history.current);
    const last = newest === null ? null : await store.find(history.current, newest);
    if (last === null || beginOf(last) === null) return history;
    history = history.forked(last);
  }
}
