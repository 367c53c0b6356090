/**
 * The recent steps are what the sentinel compares a step with: the numbers of the last committed ones, by the decisions. After a resume,
 * and in each gen, they are read back from the decision store, so that a step is judged as if the run had never been interrupted.
 */
import type { Decision } from '../protocol/decision.ts';
import type { DecisionStore } from './decision_store.ts';
import type { StepNumbers } from './spike.ts';
import type { History } from './timeline.ts';

export class RecentSteps {
  private readonly decisions: Pick<DecisionStore, 'find'>;
  private readonly window: number;
  /** In order; null while the store has to be asked. */
  private steps: readonly StepNumbers[] | null = null;

  /** `window`: how many are kept; with 0 the store is never asked. */
  constructor(decisions: Pick<DecisionStore, 'find'>, window: number) {
    this.decisions = decisions;
    this.window = window;
  }

  /** The committed steps of a history right before `step`, at most as many as the window takes, in order. */
  async before(step: number, history: History): Promise<readonly StepNumbers[]> {
    if (this.window === 0) return [];
    this.steps ??= await this.read(step, history);
    return this.steps;
  }

  /** Hears of the decision that all have applied. */
  applied(decision: Decision): void {
    const recent = recentOf(decision);
    if (this.steps === null || recent === null) return;
    this.steps = [...this.steps, recent].slice(-this.window);
  }

  /** Has the store asked again: the steps before the one in hand may be others. */
  forget(): void {
    this.steps = null;
  }

  private async read(step: number, history: History): Promise<StepNumbers[]> {
    const found: StepNumbers[] = [];
    for (let at = step - 1; at >= 0 && found.length < this.window; at--) {
      const decision = await this.decisions.find(history.ownerOf(at), at);
      // What is before a step that the store has lost would not be what came right before.
      if (decision === null) break;
      const recent = recentOf(decision);
      if (recent !== null) found.push(recent);
    }
    return found.reverse();
  }
}

/** Null of a step that changed nothing, and of one that a release decided which did not write its numbers down. */
function recentOf({ verdict, loss, gradNorm }: Decision): StepNumbers | null {
  if (verdict !== 'commit' || loss === undefined || gradNorm === undefined) return null;
  return { loss, gradNorm };
}
