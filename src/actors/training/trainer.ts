/**
 * The trainer is the supervisor actor that runs the training loop. A step is opened, voted on, judged, decided and
 * applied; the decision store is the commit point. Right behind a decision the next step is opened: the roles work on it
 * while this one is counted and logged. Between opening and votes it hears others, an interrupt above all. Its loop ends
 * with its gen; in the next one recovery tells it to go on.
 */
import {
  tagOf,
  type Actor,
  type ActorScope,
  type ArgsOf,
  type Context,
  type Ref,
  type Reply,
} from '../../runtime/index.ts';
import type { EvaluationMetrics } from '../../telemetry/index.ts';
import { heldOutName } from '../../topology/index.ts';
import { checkpointerAddress, eventLogAddress, trainerAddress } from '../placement/addresses.ts';
import type { DecisionStore } from './decision_store.ts';
import { dueAfter, goesStraightOn } from './due.ts';
import { Judge } from './judge.ts';
import { Passes, type PassesParts } from './passes.ts';
import { eventLogProtocol } from '../protocol/event_log.ts';
import { checkpointerProtocol, trainerProtocol, type TrainingOutcome } from '../protocol/trainer.ts';
import { StepNotPassing } from './sentinel.ts';
import type { AppliedStep, DecidedStep, OpenStep } from './step_in_hand.ts';
import type { Evaluations } from './evaluation.ts';
import { lossMetrics, stepMetrics } from './step_report.ts';
import { SystemCounts } from './system_counts.ts';
import { summarise } from './step_summary.ts';

type Messages = typeof trainerProtocol;

export interface TrainerParts extends PassesParts {
  readonly decisions: DecisionStore;
}

/** How long a role may take for its part of a step; native code cannot be asked in between. */
const patienceMs = 15 * 60_000;

export class Trainer implements Actor<Messages> {
  private readonly parts: TrainerParts;
  private readonly scope: ActorScope;
  private readonly passes: Passes;
  private readonly judge: Judge;
  private readonly counts: SystemCounts;
  private finished: Reply<TrainingOutcome> | null = null;
  /** How it ends after the step in hand, if it is to. */
  private ending: 'interrupted' | 'paused' | null = null;
  private step = 0;
  private updateStep = 0;
  private evalLoss: number | null = null;
  private checkpointed = -1;
  private opened: OpenStep | null = null;
  private decided: DecidedStep | null = null;
  private applied: AppliedStep | null = null;
  private appliedMs = -Infinity;
  /** Times in a row that the step in hand was left with its gen. */
  private aborts = 0;

  constructor(parts: TrainerParts, scope: ActorScope) {
    this.parts = parts;
    this.scope = scope;
    this.passes = new Passes(parts, scope, patienceMs);
    this.judge = new Judge(parts.topology, parts.decisions, () => this.eventLog(), patienceMs);
    this.counts = new SystemCounts(scope, parts.systems);
  }

  train({ firstStep, updateStep, isNew, lossScale }: ArgsOf<Messages, 'train'>, ctx: Context): Reply<TrainingOutcome> {
    this.step = firstStep;
    this.updateStep = updateStep;
    this.judge.resume({ timeline: 0, step: firstStep }, lossScale);
    // A new run has a place to come back to before its first step.
    this.checkpointed = isNew ? -1 : firstStep;
    this.finished = ctx.defer<TrainingOutcome>();
    this.scope.ref(trainerProtocol, trainerAddress).tell.next();
    return this.finished;
  }

  interrupt(): void {
    this.ending = 'interrupted';
  }

  pause(): void {
    this.ending ??= 'paused';
  }

  async next(): Promise<void> {
    await this.unlessGenEnds(() => this.begin());
  }

  async voted(): Promise<void> {
    await this.unlessGenEnds(() => this.decide());
  }

  async goOn({ step, what }: ArgsOf<Messages, 'goOn'>): Promise<void> {
    this.judge.genOver();
    this.opened = null;
    await this.unlessGenEnds(() => {
      const { decided } = this;
      if (decided !== null && step > this.step) this.complete(decided);
      this.decided = null;
      this.aborts++;
      if (this.aborts > this.parts.topology.recovery.step_retries) {
        throw new StepNotPassing(this.step + 1, this.aborts, what);
      }
      this.scope.ref(trainerProtocol, trainerAddress).tell.next();
    });
  }

  /** What fails because the gen is over is taken up again in the next one; anything else ends the run. */
  private async unlessGenEnds(work: () => Promise<void> | void): Promise<void> {
    if (this.finished === null) return;
    try {
      await work();
    } catch (error) {
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    if (tagOf(error) === 'WrongGen') return;
    // Where the trainer has ended, whoever waits for the training has heard it.
    if (this.finished?.settled === false) this.finished.reject(error);
    this.finished = null;
  }

  /** Opens the next step, with no other under way, or ends. */
  private async begin(): Promise<void> {
    if (this.checkpointed < 0) await this.writeCheckpoint();
    // Left by a gen that ended in the middle of it.
    if (this.applied !== null) await this.conclude(this.applied);
    if (this.opened !== null) return;
    const status = this.step >= this.parts.topology.training.steps ? 'done' : this.ending;
    if (status === null) {
      await this.counts.begin(this.step);
      this.open(this.step, this.judge.lossScale?.scale ?? null);
      return;
    }
    if (this.checkpointed !== this.step) await this.writeCheckpoint();
    await this.counts.quiet(this.step);
    this.finished?.resolve({ status, step: this.step, evalLoss: this.evalLoss });
    this.finished = null;
  }

  /** Has the roles take a step; when all have voted the trainer tells itself so. */
  private open(step: number, lossScale: number | null): void {
    const { gen } = this.scope;
    const opened: OpenStep = { lossScale, startMs: this.scope.clock.now(), votes: null };
    this.opened = opened;
    this.passes.train(step, lossScale).then(
      (votes) => {
        // Votes of a gen that is over decide nothing.
        if (this.opened !== opened || this.scope.gen !== gen) return;
        opened.votes = votes;
        this.scope.ref(trainerProtocol, trainerAddress).tell.voted();
      },
      (error: unknown) => {
        if (this.opened === opened) this.fail(error);
      },
    );
  }

  private async decide(): Promise<void> {
    const { step, updateStep, opened } = this;
    if (opened?.votes == null) return;
    const { mesh, topology } = this.parts;
    const { votes, ...started } = opened;
    const found = summarise(step, votes, mesh.globalMicrobatches, opened.lossScale ?? 1);
    const { loss, gradNorm } = found;
    const standing = await this.judge.decide({ step, loss, gradNorm }, { gen: this.scope.gen, updateStep });
    const decided = { ...started, ...standing, found };
    const { decision } = decided;
    this.decided = decided;
    this.opened = null;
    const applying = this.passes.apply(decision);
    if (this.ending === null && goesStraightOn(topology, step + 1))
      this.open(step + 1, this.judge.lossScaleAfter(decision));
    const reports = await applying;
    const applied = this.complete(decided);
    applied.counts = await this.counts.ofStep(reports);
    await this.conclude(applied);
    if (this.opened === null) this.scope.ref(trainerProtocol, trainerAddress).tell.next();
  }

  /** All roles have applied the decision: the step counts. */
  private complete(decided: DecidedStep): AppliedStep {
    const { verdict, updateStep } = decided.decision;
    if (verdict === 'commit') this.updateStep = updateStep;
    this.judge.applied(decided.standing);
    this.aborts = 0;
    this.step++;
    const nowMs = this.scope.clock.now();
    // What it has waited for the step before is that one's.
    const stepMs = nowMs - Math.max(decided.startMs, this.appliedMs);
    this.appliedMs = nowMs;
    this.decided = null;
    return (this.applied = { ...decided, stepMs, counts: null, isLogged: false });
  }

  /** Evaluates, logs and checkpoints the step that was applied last; what was done of it is not done again. */
  private async conclude(applied: AppliedStep): Promise<void> {
    const due = dueAfter(this.parts.topology, this.step);
    applied.counts ??= await this.counts.ofStep(null);
    if (!applied.isLogged) {
      const evaluations = await this.evaluate(due.evaluations);
      if (due.evaluations.includes(heldOutName)) this.evalLoss = evaluations?.[heldOutName]?.loss ?? null;
      applied.isLogged = true;
      // A skipped batch has no numbers of the curve; it is an event.
      if (applied.decision.verdict === 'commit') await this.log(applied, evaluations);
      if (evaluations !== null)
        await this.eventLog().ask.evaluated({ step: this.step, evaluations }, { timeoutMs: patienceMs });
    }
    if (due.checkpoint && this.checkpointed !== this.step) await this.writeCheckpoint();
    // What these sent is no part of the next step.
    if (due.evaluations.length > 0 || due.checkpoint) this.counts.leaveOff();
    this.applied = null;
  }

  /** Runs evaluations, one after another; null where none is due, or none has data. */
  private async evaluate(due: readonly string[]): Promise<Evaluations | null> {
    const found: Record<string, EvaluationMetrics> = {};
    for (const evaluation of this.parts.evaluations) {
      if (!due.includes(evaluation.name)) continue;
      const losses = await this.passes.evaluate(evaluation, this.step);
      if (losses !== null) found[evaluation.name] = lossMetrics(losses);
    }
    return Object.keys(found).length === 0 ? null : found;
  }

  private async log(applied: AppliedStep, evaluations: Evaluations | null): Promise<void> {
    const metrics = stepMetrics(this.parts.topology, { ...applied, step: this.step, evaluations });
    const { bytesSent = {}, cpuMs = {} } = applied.counts ?? {};
    await this.eventLog().ask.step({ ...metrics, bytes_sent: bytesSent, cpu_ms: cpuMs }, { timeoutMs: patienceMs });
  }

  private async writeCheckpoint(): Promise<void> {
    const { step, updateStep, evalLoss } = this;
    const { lossScale } = this.judge;
    const args = { step, updateStep, evalLoss, ...(lossScale === null ? {} : { lossScale }) };
    const checkpointer = this.scope.ref(checkpointerProtocol, checkpointerAddress);
    const { path } = await checkpointer.ask.write(args, { timeoutMs: patienceMs });
    this.checkpointed = this.step;
    await this.eventLog().ask.checkpoint({ step: this.step, path }, { timeoutMs: patienceMs });
  }

  private eventLog(): Ref<typeof eventLogProtocol> {
    return this.scope.ref(eventLogProtocol, eventLogAddress);
  }
}
