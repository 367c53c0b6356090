/**
 * The trainer is the supervisor actor that runs the training loop. A step is opened, voted on, judged, decided and
 * applied; the decision store is the commit point. It takes one step a message, so that an interrupt is heard in
 * between. Its loop ends with its gen; in the next one recovery tells it to go on.
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
import { checkpointerAddress, eventLogAddress, trainerAddress } from '../placement/addresses.ts';
import type { DecisionStore } from './decision_store.ts';
import { Judge } from './judge.ts';
import { Passes, type PassesParts } from './passes.ts';
import { eventLogProtocol } from '../protocol/event_log.ts';
import type { Decision } from '../protocol/parameters.ts';
import { checkpointerProtocol, trainerProtocol, type TrainingOutcome } from '../protocol/trainer.ts';
import { StepNotPassing } from './sentinel.ts';
import { stepMetrics } from './step_report.ts';
import { countsOf, since, type Counts } from './system_counts.ts';
import { summarise, type StepSummary } from './step_summary.ts';

type Messages = typeof trainerProtocol;

export interface TrainerParts extends PassesParts {
  readonly decisions: DecisionStore;
  /** Every system of the run; each has an agent. */
  readonly systems: readonly string[];
}

/** A step that is decided, and what is known of it. */
interface Decided {
  readonly decision: Decision;
  readonly found: StepSummary;
  /** The loss scale that its gradients were made with; null where nothing is scaled. */
  readonly lossScale: number | null;
  readonly startMs: number;
}

/** A step that all have applied; it may still have to be evaluated, logged and checkpointed. */
interface Applied extends Decided {
  readonly stepMs: number;
  /** What the systems counted in the step; null while that has to be asked for. */
  counts: Counts | null;
  isLogged: boolean;
}

/** How long a role may take for its part of a step; native code cannot be asked in between. */
const patienceMs = 15 * 60_000;

export class Trainer implements Actor<Messages> {
  private readonly parts: TrainerParts;
  private readonly scope: ActorScope;
  private readonly passes: Passes;
  private readonly judge: Judge;
  private finished: Reply<TrainingOutcome> | null = null;
  private isInterrupted = false;
  private step = 0;
  private updateStep = 0;
  private evalLoss: number | null = null;
  private checkpointed = -1;
  private decided: Decided | null = null;
  private applied: Applied | null = null;
  /** Times in a row that the step in hand was left with its gen. */
  private aborts = 0;
  /** What the systems had counted before the step in hand; null while that has to be asked for. */
  private countsBefore: Counts | null = null;

  constructor(parts: TrainerParts, scope: ActorScope) {
    this.parts = parts;
    this.scope = scope;
    this.passes = new Passes(parts, scope, patienceMs);
    this.judge = new Judge(parts.topology, parts.decisions, () => this.eventLog(), patienceMs);
  }

  train({ firstStep, updateStep, isNew, lossScale }: ArgsOf<Messages, 'train'>, ctx: Context): Reply<TrainingOutcome> {
    this.step = firstStep;
    this.updateStep = updateStep;
    this.judge.resume(lossScale);
    // A new run has a place to come back to before its first step.
    this.checkpointed = isNew ? -1 : firstStep;
    this.finished = ctx.defer<TrainingOutcome>();
    this.scope.ref(trainerProtocol, trainerAddress).tell.next();
    return this.finished;
  }

  interrupt(): void {
    this.isInterrupted = true;
  }

  async next(): Promise<void> {
    await this.unlessGenEnds(() => this.takeStep());
  }

  async goOn({ step, what }: ArgsOf<Messages, 'goOn'>): Promise<void> {
    if (this.finished === null) return;
    this.judge.genOver();
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
    try {
      await work();
    } catch (error) {
      if (tagOf(error) === 'WrongGen') return;
      this.finished?.reject(error);
      this.finished = null;
    }
  }

  private async takeStep(): Promise<void> {
    if (this.checkpointed < 0) await this.writeCheckpoint();
    const isLast = this.step >= this.parts.topology.training.steps;
    if (this.applied === null && (isLast || this.isInterrupted)) {
      if (this.checkpointed !== this.step) await this.writeCheckpoint();
      this.finished?.resolve({ status: isLast ? 'done' : 'interrupted', step: this.step, evalLoss: this.evalLoss });
      this.finished = null;
      return;
    }
    if (this.applied === null) await this.trainStep();
    if (this.applied !== null) await this.conclude(this.applied);
    this.applied = null;
    this.scope.ref(trainerProtocol, trainerAddress).tell.next();
  }

  private async trainStep(): Promise<void> {
    const { mesh, decisions } = this.parts;
    const { step } = this;
    this.countsBefore ??= await this.counts();
    const startMs = this.scope.clock.now();
    const lossScale = this.judge.lossScale?.scale ?? null;
    const votes = await this.passes.train(step, lossScale);
    const found = summarise(step, votes, mesh.globalMicrobatches, lossScale ?? 1);
    const { loss, gradNorm } = found;
    const { updateStep } = this;
    const proposed = await this.judge.propose({ step, loss, gradNorm }, { gen: this.scope.gen, updateStep });
    const decision = await decisions.decide(proposed);
    const decided = { decision, found, lossScale, startMs };
    this.decided = decided;
    await this.passes.apply(decision);
    this.complete(decided);
    this.decided = null;
  }

  /** Counts a step whose decision all roles have applied. */
  private complete(decided: Decided): void {
    const { verdict, updateStep } = decided.decision;
    if (verdict === 'commit') this.updateStep = updateStep;
    this.judge.applied(decided.decision);
    this.aborts = 0;
    this.step++;
    const stepMs = this.scope.clock.now() - decided.startMs;
    this.applied = { ...decided, stepMs, counts: null, isLogged: false };
  }

  /** Evaluates, logs and checkpoints the step that was applied last; what was done of it is not done again. */
  private async conclude(applied: Applied): Promise<void> {
    const { topology } = this.parts;
    const { training, checkpoint } = topology;
    const isEnd = this.step === training.steps;
    const isEvaluated = training.eval_interval > 0 && (isEnd || this.step % training.eval_interval === 0);
    applied.counts ??= await this.countsOfStep();
    if (!applied.isLogged) {
      const evalLoss = isEvaluated ? await this.passes.evaluate(this.step) : null;
      if (isEvaluated) this.evalLoss = evalLoss;
      applied.isLogged = true;
      // A skipped batch has no finite numbers to log; it is an event.
      if (applied.decision.verdict === 'commit') await this.log(applied, evalLoss);
      if (evalLoss !== null)
        await this.eventLog().ask.evaluated({ step: this.step, evalLoss }, { timeoutMs: patienceMs });
    }
    const isDue = checkpoint.interval > 0 && this.step % checkpoint.interval === 0;
    if (isDue && this.checkpointed !== this.step) await this.writeCheckpoint();
    // What these sent is no part of the next step.
    if (isEvaluated || isDue) this.countsBefore = null;
  }

  private async log(applied: Applied, evalLoss: number | null): Promise<void> {
    const metrics = stepMetrics(this.parts.topology, { ...applied, step: this.step, evalLoss });
    const { bytesSent = {}, cpuMs = {} } = applied.counts ?? {};
    await this.eventLog().ask.step({ ...metrics, bytes_sent: bytesSent, cpu_ms: cpuMs }, { timeoutMs: patienceMs });
  }

  private async countsOfStep(): Promise<Counts> {
    const before = this.countsBefore;
    this.countsBefore = await this.counts();
    return since(before, this.countsBefore);
  }

  private counts(): Promise<Counts> {
    return countsOf(this.scope, this.parts.systems, this.step);
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
