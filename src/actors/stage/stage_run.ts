/**
 * One microbatch in a stage: where it is among the steps, forward or back, and what it waits for. `advance` runs
 * programs until the end of the way or the next hand-over to a router.
 */
import type { Bindings } from '../../kernels/device.ts';
import { weightBindings } from './bindings.ts';
import type { Unit } from '../protocol/pass.ts';
import type { ReadyExchange, StageContext } from './stage_context.ts';

export class StageRun {
  readonly unit: Unit;
  readonly context: StageContext;
  /** Rows that are tokens; they come before padding. */
  readonly live: number;
  /** The hand-over whose rows have not come back. */
  waitsFor: ReadyExchange | null = null;
  private phase: 'forward' | 'backward' = 'forward';
  private at = 0;

  constructor(unit: Unit, context: StageContext, live: number) {
    this.unit = unit;
    this.context = context;
    this.live = live;
  }

  get isBackward(): boolean {
    return this.phase === 'backward';
  }

  /** From the end of the way forward to the beginning of the way back. */
  turn(): void {
    this.phase = 'backward';
    this.at = this.context.steps.length - 1;
  }

  /** Runs up to the next hand-over, and returns it; null at the end. `gradients`: parameter gradients by name. */
  async advance(gradients: Bindings): Promise<ReadyExchange | null> {
    const { steps } = this.context;
    for (;;) {
      const step = steps[this.at];
      if (step === undefined) return null;
      this.at += this.isBackward ? -1 : 1;
      if (step.kind === 'exchange') {
        this.waitsFor = step;
        return step;
      }
      if (this.isBackward) {
        const toWeights = weightBindings(step.step.weights, gradients, 'd_');
        await step.programs.backward.run({ ...step.bindings, ...toWeights });
      } else if (step.kind !== 'head' || this.unit.mode !== 'generate') {
        await step.programs.forward.run(step.bindings);
      }
    }
  }
}
