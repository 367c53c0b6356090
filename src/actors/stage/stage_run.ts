/**
 * One microbatch in a stage: where it is among the actions of the stage's plan, forward or back, and which rows it waits for.
 * `advance` runs programs until rows have to go out, rows that have not come are needed, or the way is at its end.
 */
import type { Bindings, Tensor } from '../../kernels/device.ts';
import type { Unit } from '../protocol/pass.ts';
import type { Microbatch } from './batch_port.ts';
import type { UnderWay } from './schedule.ts';
import type { StageContext } from './stage_context.ts';
import { gradientKey, type Action, type Need } from './stage_plan.ts';
import { writesOf } from './step_streams.ts';

/** Rows that go out: of a stream, or of its gradient. */
export type Outgoing = Exclude<Action, { does: 'run' }>;

/** What stopped a microbatch: rows that go out, the end of its way, or that rows have not come. */
export type Stop = Outgoing | 'end' | 'waits';

/** Where the way back writes the gradients of weights. */
export interface OpenLeaf {
  /** By `useKey`. */
  readonly views: Bindings;
  /** Is told what a program has written. */
  readonly wrote: (keys: readonly string[]) => Promise<void>;
}

export class StageRun {
  readonly unit: Unit;
  readonly context: StageContext;
  readonly batch: Microbatch;
  private way: UnderWay['phase'] = 'forward';
  private at = 0;
  /** Tensors whose rows have come. */
  private readonly laid = new Set<string>();
  /** Tensors whose rows may come at any time: a hand was made, and their memory is kept for the answer. */
  private readonly open = new Set<string>();

  constructor(unit: Unit, context: StageContext, batch: Microbatch) {
    this.unit = unit;
    this.context = context;
    this.batch = batch;
  }

  get phase(): UnderWay['phase'] {
    return this.way;
  }

  /** Whether all of this way is done. */
  get isAtEnd(): boolean {
    return this.at >= this.actions.length;
  }

  /** At the end of the way forward: what is missing now are rows that the way back begins with. */
  rest(): void {
    this.way = 'between';
    this.at = 0;
  }

  /** Begins the way back. */
  turn(): void {
    this.way = 'backward';
  }

  /** What the next action waits for. */
  get missing(): readonly Need[] {
    const action = this.actions.at(this.at);
    return action === undefined ? [] : action.needs.filter(({ key }) => !this.laid.has(key));
  }

  /** The memory for rows that have come, if it is there for them already; they count as there from now on. */
  place(key: string): Tensor | null {
    if (!this.open.delete(key) && !this.missing.some((need) => need.key === key)) return null;
    this.laid.add(key);
    return this.context.tensors[key];
  }

  /** Runs until something stops it; `leaf` is null on the way forward. */
  async advance(leaf: OpenLeaf | null): Promise<Stop> {
    for (;;) {
      const action = this.actions.at(this.at);
      if (action === undefined) return 'end';
      if (this.missing.length > 0) return 'waits';
      this.at++;
      if (this.isBack) await this.sum(action);
      if (action.does === 'run') await this.run(action, leaf);
      else {
        if (action.does === 'hand') this.open.add(this.answerOf(action));
        return action;
      }
    }
  }

  /** The tensor that a hand's answer is laid into. */
  private answerOf({ step }: Extract<Action, { does: 'hand' }>): string {
    return this.isBack ? this.context.plan.keyOf(step.gives, step.to, true)! : step.takes;
  }

  private async run({ at, step }: Extract<Action, { does: 'run' }>, leaf: OpenLeaf | null): Promise<void> {
    const { forward, backward } = this.context.steps.get(at)!;
    const bindings = this.context.bindings.get(at)!;
    if (!this.isBack) {
      await forward.run(bindings);
      return;
    }
    if (leaf === null) throw new TypeError(`${this.unit.kind} has no way back`);
    const keys = Object.entries(this.context.plan.part.gradientKeys.get(step) ?? {});
    const ofWeights = Object.fromEntries(keys.map(([name, key]) => [`d_${name}`, leaf.views[key]]));
    await backward.run({ ...bindings, ...ofWeights });
    await leaf.wrote(keys.map(([, key]) => key));
  }

  /** Adds up the gradients of what an action reads the gradient of, in the order of the stream's readers. */
  private async sum(action: Action): Promise<void> {
    const { plan, sums, tensors } = this.context;
    const streams = action.does === 'run' ? writesOf(action.step) : [streamOf(action)];
    for (const stream of streams) {
      const executable = sums.get(stream);
      if (executable === undefined) continue;
      for (const { number } of plan.readers.get(stream)!.slice(1)) {
        await executable.run({ sum: tensors[gradientKey(stream)], addend: tensors[gradientKey(stream, number)] });
      }
    }
  }

  private get isBack(): boolean {
    return this.way !== 'forward';
  }

  private get actions(): readonly Action[] {
    const { plan } = this.context;
    return this.isBack ? plan.backward : plan.forward;
  }
}

/** The stream whose gradient goes out on the way back. */
const streamOf = (action: Outgoing): string => (action.does === 'hand' ? action.step.takes : action.stream);
