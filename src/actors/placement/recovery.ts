/**
 * Recovery makes a run go on after a broken link. It raises the gen, has every system enter it, and lets the roles
 * agree: a decision that some have applied is applied by all, else the step is dropped and run again. Then it sends the
 * trainer on its way. A step is the same bits whenever it is run, so nothing is lost but time.
 */
import type { Actor, ActorScope, ArgsOf } from '../../runtime/index.ts';
import { eventLogAddress, trainerAddress, agentAddress } from './addresses.ts';
import type { DecisionStore } from '../training/decision_store.ts';
import { historyOf } from '../training/timeline.ts';
import { eventLogProtocol } from '../protocol/event_log.ts';
import type { recoveryProtocol } from '../protocol/recovery.ts';
import { appliedOf } from '../protocol/decision.ts';
import type { AppliedDecision } from '../protocol/parameters.ts';
import { trainerProtocol } from '../protocol/trainer.ts';
import { agentProtocol } from '../protocol/agent.ts';

type Messages = typeof recoveryProtocol;

export interface RecoveryParts {
  /** Every system that takes part in the run, the own one among them; null while roles are placed anew, in a gen of its own. */
  readonly systems: () => readonly string[] | null;
  /** Raises the gen that all agree on from the one given; resolves with the gen that stands then. */
  readonly raise: (gen: number) => Promise<number>;
  /** Has the own system enter a gen. */
  readonly enter: (gen: number) => void;
  readonly decisions: DecisionStore;
}

/** A role answers when its message in hand is done; a node that never does is declared dead by its lease. */
const patienceMs = 10 * 60_000;

export class Recovery implements Actor<Messages> {
  private readonly parts: RecoveryParts;
  private readonly scope: ActorScope;

  constructor(parts: RecoveryParts, scope: ActorScope) {
    this.parts = parts;
    this.scope = scope;
  }

  async broken({ gen: brokenGen, what }: ArgsOf<Messages, 'broken'>): Promise<void> {
    const systems = this.parts.systems();
    if (brokenGen !== this.scope.gen || systems === null) return;
    try {
      await this.runAgain(systems, brokenGen, what);
    } catch (error) {
      // A node was lost in between: all of them enter another gen.
      if (this.parts.systems() === systems) throw error;
    }
  }

  settled(): number {
    return this.scope.gen;
  }

  private async runAgain(systems: readonly string[], brokenGen: number, what: string): Promise<void> {
    const gen = await this.parts.raise(brokenGen);
    // From here on all asks of the former gen fail, the trainer's too, those that it has yet to send among them.
    this.parts.enter(gen);
    const agents = systems.map((system) => this.scope.ref(agentProtocol, agentAddress(system)));
    const steps = (
      await Promise.all(agents.map((agent) => agent.ask.enter({ gen, assignment: null }, { timeoutMs: patienceMs })))
    ).flat();
    const step = Math.max(...steps);
    const decision = steps.every((each) => each === step) ? null : await this.decisionOf(step - 1);
    await Promise.all(agents.map((agent) => agent.ask.settle({ gen, decision }, { timeoutMs: patienceMs })));
    const incident = { step: step + 1, remedy: `running the step again in gen ${gen}`, evidence: what };
    await this.scope.ref(eventLogProtocol, eventLogAddress).ask.incident(incident, { timeoutMs: patienceMs });
    this.scope.ref(trainerProtocol, trainerAddress).tell.goOn({ step, what });
  }

  /** The decision about a step that some roles have applied: it was decided, so it is in the store. */
  private async decisionOf(step: number): Promise<AppliedDecision> {
    const { decisions } = this.parts;
    const history = await historyOf(decisions, { timeline: 0, step: 0 });
    const decision = await decisions.find(history.ownerOf(step), step);
    const applied = decision === null ? null : appliedOf(decision);
    if (applied === null)
      throw new Error(`step ${step + 1} was applied by some roles, but its decision is not in the store`);
    return applied;
  }
}
