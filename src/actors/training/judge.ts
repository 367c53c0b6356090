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
import type { Decision, LossScale } from '../protocol/parameters.ts';
import { judge, Unstable, type Findings } from './sentinel.ts';

/** The place of the step in hand among gens and updates. */
interface Place {
  readonly gen: number;
  /** Updates before it. */
  readonly updateStep: number;
}

export class Judge {
  private readonly topology: Topology;
  private readonly decisions: DecisionStore;
  private readonly eventLog: () => Ref<typeof eventLogProtocol>;
  private readonly timeoutMs: number;
  private scale: LossScale | null;
  /** Steps right before this one that were skipped as an incident; null while the store has to be asked. */
  private skipped: number | null = null;
  /** The highest step that was decided in an earlier gen, -1 for none; null while the store has to be asked. */
  private recorded: number | null = null;

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
    this.scale = firstLossScale(topology.training);
  }

  /** The loss scale of the step in hand; null where nothing is scaled. */
  get lossScale(): LossScale | null {
    return this.scale;
  }

  /** Returns the loss scale of the step after the one that was decided; null where nothing is scaled. */
  lossScaleAfter({ lossScale }: Decision): number | null {
    return (lossScale ?? this.scale)?.scale ?? null;
  }

  /** Goes on with the scale of a checkpoint, if it has one. */
  resume(lossScale: LossScale | undefined): void {
    this.scale = lossScale ?? this.scale;
  }

  /** Hears that a gen is over, in which the step in hand may have been decided. */
  genOver(): void {
    this.recorded = null;
  }

  /** Hears that all roles have applied the decision. */
  applied({ verdict, lossScale, overflowed }: Decision): void {
    this.scale = lossScale ?? this.scale;
    // An overflow is no incident, and ends none.
    if (overflowed !== true) this.skipped = verdict === 'skip' ? (this.skipped ?? 0) + 1 : 0;
  }

  /** The decision this step deserves; a replayed step keeps the one recorded. Throws `Unstable`. */
  async propose({ step, loss, gradNorm }: Findings, { gen, updateStep }: Place): Promise<Decision> {
    const { topology } = this;
    const recorded = await this.recordedAt(step);
    if (recorded !== null) return recorded;
    const findings = { step, loss, gradNorm };
    const overflowed = this.scale !== null && overflows(findings, this.scale);
    const verdict = overflowed ? 'skip' : await this.judged(findings);
    const scale = this.scale?.scale ?? 1;
    const lossScale = await this.rescaled(overflowed ? 'overflow' : verdict, findings);
    return {
      gen,
      step,
      verdict,
      updateStep: updateStep + (verdict === 'commit' ? 1 : 0),
      lr: learningRate(step, topology.training.steps, topology.optimizer),
      clip: clipScale(gradNorm, topology.optimizer.grad_clip) / scale,
      ...(lossScale === null ? {} : { lossScale }),
      ...(overflowed ? { overflowed } : {}),
    };
  }

  /** What an earlier gen decided about a step. Beyond the newest decision of those the store is not asked. */
  private async recordedAt(step: number): Promise<Decision | null> {
    this.recorded ??= (await this.decisions.newest()) ?? -1;
    return step > this.recorded ? null : await this.decisions.find(step);
  }

  /** The sentinel's verdict, which is told where it is none to commit. Throws `Unstable`. */
  private async judged(findings: Findings): Promise<'commit' | 'skip'> {
    this.skipped ??= await this.skippedBefore(findings.step);
    const judgement = judge(findings, this.skipped);
    if (judgement.verdict === 'commit') return 'commit';
    const incident = { step: findings.step + 1, remedy: judgement.verdict, evidence: judgement.evidence };
    await this.eventLog().ask.incident(incident, { timeoutMs: this.timeoutMs });
    if (judgement.verdict === 'stop') throw new Unstable(findings.step + 1, judgement.evidence);
    return 'skip';
  }

  /** Whether the step right before was skipped as an incident, steps that overflowed left out. */
  private async skippedBefore(step: number): Promise<number> {
    const before = await this.decisions.find(step - 1);
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
