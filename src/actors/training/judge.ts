/**
 * The judge proposes the decision of a step: by the sentinel's verdict, or as an overflow of the loss scale. It holds
 * what the steps before have left: the scale, and how many right before were incidents.
 */
import type { Ref } from '../../runtime/index.ts';
import type { Topology } from '../../topology/index.ts';
import type { DecisionStore } from './decision_store.ts';
import { clipScale } from '../parameters/gradient_norm.ts';
import { learningRate } from './learning_rate.ts';
import { firstLossScale, lossScaleAfter, overflows, type ScaledStep } from './loss_scale.ts';
import type { eventLogProtocol } from '../protocol/event_log.ts';
import { appliedOf, type Decision } from '../protocol/decision.ts';
import type { AppliedDecision, LossScale } from '../protocol/parameters.ts';
import type { DecidedStep } from './step_in_hand.ts';
import { judge, Unstable, type Findings } from './sentinel.ts';
import { RecentSteps } from './recent_steps.ts';
import { spikesOf } from './spike.ts';
import { historyOf, type History, type TimelinePlace } from './timeline.ts';

/** The place of the step in hand among gens and updates. */
interface Place {
  readonly gen: number;
  /** Updates before it. */
  readonly updateStep: number;
}

/** What was decided in earlier gens. */
interface Recorded {
  readonly history: History;
  /** The highest step that is decided on the timeline that the run is on, -1 for none. */
  readonly newest: number;
}

export class Judge {
  private readonly topology: Topology;
  private readonly decisions: DecisionStore;
  private readonly eventLog: () => Ref<typeof eventLogProtocol>;
  private readonly timeoutMs: number;
  private readonly recent: RecentSteps;
  private scale: LossScale | null;
  /** Steps right before this one that were skipped as an incident; null while the store has to be asked. */
  private skipped: number | null = null;
  /** Where the run goes on from; whose decisions count follows from there. */
  private start: TimelinePlace = { timeline: 0, step: 0 };
  /** What was decided in earlier gens; null while the store has to be asked. */
  private recorded: Recorded | null = null;

  /** `timeoutMs`: for the event log's answers. */
  constructor(
    topology: Topology,
    decisions: DecisionStore,
    eventLog: () => Ref<typeof eventLogProtocol>,
    timeoutMs: number,
  ) {
    this.topology = topology;
    this.decisions = decisions;
    this.eventLog = eventLog;
    this.timeoutMs = timeoutMs;
    const { window, loss_spike, gradient_spike } = topology.recovery.sentinel;
    this.recent = new RecentSteps(decisions, loss_spike > 0 || gradient_spike > 0 ? window : 0);
    this.scale = firstLossScale(topology.training);
  }

  /** The loss scale of the step in hand; null where nothing is scaled. */
  get lossScale(): LossScale | null {
    return this.scale;
  }

  /** Returns the loss scale of the step after the one that was decided; null where nothing is scaled. */
  lossScaleAfter({ lossScale }: AppliedDecision): number | null {
    return (lossScale ?? this.scale)?.scale ?? null;
  }

  /** Goes on from `start`, with the scale of a checkpoint, if it has one. */
  resume(start: TimelinePlace, lossScale: LossScale | undefined): void {
    this.start = start;
    this.recorded = null;
    this.recent.forget();
    this.scale = lossScale ?? this.scale;
  }

  /** Hears that a gen is over, in which the step in hand may have been decided. */
  genOver(): void {
    this.recorded = null;
    this.recent.forget();
  }

  /** Hears that all roles have applied the decision. */
  applied(decision: Decision): void {
    const { verdict, lossScale, overflowed } = decision;
    this.recent.applied(decision);
    this.scale = lossScale ?? this.scale;
    // An overflow is no incident, and ends none.
    if (overflowed !== true) this.skipped = verdict === 'skip' ? (this.skipped ?? 0) + 1 : 0;
  }

  /** Decides a step: what this proposes is recorded, or what stands already is followed. Throws `Unstable`. */
  async decide(findings: Findings, place: Place): Promise<Pick<DecidedStep, 'standing' | 'decision'>> {
    const standing = await this.decisions.decide(await this.propose(findings, place));
    const decision = appliedOf(standing);
    if (decision !== null) return { standing, decision };
    throw new Error(`step ${standing.step + 1}: nobody here proposes ${standing.verdict}; report it`);
  }

  /** The decision this step deserves; a replayed step keeps the one recorded. Throws `Unstable`. */
  private async propose({ step, loss, gradNorm }: Findings, { gen, updateStep }: Place): Promise<Decision> {
    const { topology } = this;
    const { history, newest } = await this.known();
    const timeline = history.ownerOf(step);
    // Beyond the newest decision of the timeline that the run is on the store is not asked.
    const isNew = timeline === history.current && step > newest;
    const recorded = isNew ? null : await this.decisions.find(timeline, step);
    if (recorded !== null) return recorded;
    const findings = { step, loss, gradNorm };
    const overflowed = this.scale !== null && overflows(findings, this.scale);
    const verdict = overflowed ? 'skip' : await this.judged(findings);
    const scale = this.scale?.scale ?? 1;
    const lossScale = await this.rescaled(overflowed ? 'overflow' : verdict, findings);
    return {
      gen,
      timeline,
      step,
      verdict,
      updateStep: updateStep + (verdict === 'commit' ? 1 : 0),
      ...(verdict === 'commit' ? { loss, gradNorm } : {}),
      lr: learningRate(step, topology.training.steps, topology.optimizer),
      clip: clipScale(gradNorm, topology.optimizer.grad_clip) / scale,
      ...(lossScale === null ? {} : { lossScale }),
      ...(overflowed ? { overflowed } : {}),
    };
  }

  private async known(): Promise<Recorded> {
    if (this.recorded !== null) return this.recorded;
    const history = await historyOf(this.decisions, this.start);
    const newest = (await this.decisions.newest(history.current)) ?? -1;
    return (this.recorded = { history, newest });
  }

  /** The sentinel's verdict, which is told where it is none to commit. Throws `Unstable`. */
  private async judged(findings: Findings): Promise<'commit' | 'skip'> {
    this.skipped ??= await this.skippedBefore(findings.step);
    const spikes = await this.spikes(findings);
    const judgement = judge(findings, spikes, this.skipped);
    if (judgement.verdict === 'commit') return 'commit';
    const incident = { step: findings.step + 1, remedy: judgement.verdict, evidence: judgement.evidence };
    await this.eventLog().ask.incident(incident, { timeoutMs: this.timeoutMs });
    if (judgement.verdict === 'stop') throw new Unstable(findings.step + 1, judgement.evidence);
    return 'skip';
  }

  /** What of the step is a spike, in words. */
  private async spikes(findings: Findings): Promise<string[]> {
    const { history } = await this.known();
    const past = await this.recent.before(findings.step, history);
    return spikesOf(findings, past, this.topology.recovery.sentinel);
  }

  /** Whether the step right before was skipped as an incident, steps that overflowed left out. */
  private async skippedBefore(step: number): Promise<number> {
    const { history } = await this.known();
    const before = await this.decisions.find(history.ownerOf(step - 1), step - 1);
    if (before?.overflowed === true) return await this.skippedBefore(step - 1);
    return before?.verdict === 'skip' ? 1 : 0;
  }

  /** The loss scale after the step in hand; a change is told. */
  private async rescaled(outcome: ScaledStep, { step, gradNorm }: Findings): Promise<LossScale | null> {
    if (this.scale === null) return null;
    const { growth_interval } = this.topology.training.loss_scale;
    const after = lossScaleAfter(this.scale, outcome, growth_interval);
    const [from, to] = [this.scale.scale, after.scale];
    if (from !== to) {
      const reason =
        outcome === 'overflow' ? `gradient norm is ${gradNorm}` : `${growth_interval} steps without an overflow`;
      await this.eventLog().ask.lossScale({ step: step + 1, from, to, reason }, { timeoutMs: this.timeoutMs });
    }
    return after;
  }
}
