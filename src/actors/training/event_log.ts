/**
 * The event log hears what happens to a run and hands it to whoever keeps it (the logs and the screen of the launcher).
 * It lives where the run directory is written, whatever node the trainer is on.
 */
import { tagOf, type Actor, type ArgsOf, type Context, type Reply } from '../../runtime/index.ts';
import type { Evaluations } from './evaluation.ts';
import type { StepMetrics } from '../../telemetry/index.ts';
import type { eventLogProtocol, LossScaleChange } from '../protocol/event_log.ts';

type Messages = typeof eventLogProtocol;

/** Who watches a training run. What it throws ends the run: the answer of whoever told of it is that error. */
export interface TrainingObserver {
  step(metrics: StepMetrics): void;
  evaluated(step: number, evaluations: Evaluations): void;
  checkpoint(step: number, path: string): void;
  lossScale(change: LossScaleChange): void;
  incident(step: number, remedy: string, evidence: string): void;
  /** A record of routing ends here, for this reason. */
  unrecorded(what: string): void;
}

export class EventLog implements Actor<Messages> {
  private readonly observer: TrainingObserver;
  private isUnrecorded = false;

  constructor(observer: TrainingObserver) {
    this.observer = observer;
  }

  step(metrics: ArgsOf<Messages, 'step'>, ctx: Context): Reply<void> {
    return answer(ctx, () => this.observer.step(metrics));
  }

  evaluated({ step, evaluations }: ArgsOf<Messages, 'evaluated'>, ctx: Context): Reply<void> {
    return answer(ctx, () => this.observer.evaluated(step, evaluations));
  }

  checkpoint({ step, path }: ArgsOf<Messages, 'checkpoint'>, ctx: Context): Reply<void> {
    return answer(ctx, () => this.observer.checkpoint(step, path));
  }

  lossScale(change: LossScaleChange, ctx: Context): Reply<void> {
    return answer(ctx, () => this.observer.lossScale(change));
  }

  /** Said once: where one router cannot write, others of that disk cannot either. */
  unrecorded({ what }: ArgsOf<Messages, 'unrecorded'>): void {
    if (this.isUnrecorded) return;
    this.isUnrecorded = true;
    try {
      this.observer.unrecorded(what);
    } catch (error) {
      // The log is on a full disk too: its next line of metrics, which somebody waits for, says so.
      if (tagOf(error) !== 'LogIo') throw error;
    }
  }

  incident({ step, remedy, evidence }: ArgsOf<Messages, 'incident'>, ctx: Context): Reply<void> {
    return answer(ctx, () => this.observer.incident(step, remedy, evidence));
  }
}

/** A full disk is no fault of this actor: it says so once, to whoever asked, and does not fail itself. */
function answer(ctx: Context, work: () => void): Reply<void> {
  const reply: Reply<void> = ctx.defer();
  try {
    work();
  } catch (error) {
    reply.reject(error);
    return reply;
  }
  reply.resolve();
  return reply;
}
