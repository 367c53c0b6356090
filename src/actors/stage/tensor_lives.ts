/**
 * The lives of a microbatch's tensors in a stage: from which action to which each is needed, forward actions counted first and
 * those of the way back behind them. Tensors of one type that are never needed at once share memory.
 */
import { typeOf } from '../../kernels/program.ts';
import { showShape } from '../../kernels/shape.ts';
import type { Type } from '../../kernels/type.ts';
import type { RunStep } from '../../models/model.ts';
import { derivativeOf } from './differentiated.ts';
import { gradientKey, type Action, type StagePlan } from './stage_plan.ts';
import { learntFrom } from './step_streams.ts';
import { streamTypes } from './stream_types.ts';

export interface TensorLife {
  readonly key: string;
  readonly type: Type;
  from: number;
  to: number;
}

/** Key of what a step's backward reads of its forward: an output of the step, or a residual of its own. */
export const residualKey = (at: number, step: RunStep, name: string): string =>
  step.writes[name] ?? `residual ${at} ${name}`;

/** The first tensor whose memory each tensor has, by key; of a tensor that has its own, itself. */
export function sharedMemory(lives: readonly TensorLife[]): Map<string, TensorLife> {
  const homes = new Map<string, TensorLife>();
  const ends = new Map<string, { home: TensorLife; to: number }[]>();
  for (const life of [...lives].sort((a, b) => a.from - b.from || a.to - b.to)) {
    const kind = `${life.type.dtype}${showShape(life.type.shape)}`;
    const known = ends.get(kind) ?? [];
    ends.set(kind, known);
    const free = known.find(({ to }) => to < life.from);
    if (free === undefined) known.push({ home: life, to: life.to });
    else free.to = life.to;
    homes.set(life.key, free?.home ?? life);
  }
  return homes;
}

/** Every tensor of a plan, with its type and life. */
export function livesOf(plan: StagePlan): TensorLife[] {
  const lives = new Map<string, TensorLife>();
  const touch = (key: string, type: Type, time: number): void => {
    const life = lives.get(key) ?? { key, type, from: time, to: time };
    life.from = Math.min(life.from, time);
    life.to = Math.max(life.to, time);
    lives.set(key, life);
  };
  const types = streamTypes(plan.part);
  const stream = (name: string, time: number): void => touch(name, types.get(name)!, time);
  const gradients = (name: string, time: number): void => {
    if (types.get(name)!.dtype !== 'f32') return;
    const readers = plan.readers.get(name) ?? [null];
    for (const [number] of readers.entries()) touch(gradientKey(name, number), types.get(name)!, time);
  };
  const end = plan.forward.length + plan.backward.length;
  for (const [time, action] of plan.forward.entries()) {
    if (action.does === 'send') stream(action.stream, time);
    else if (action.does === 'hand') {
      const { gives, takes } = action.step;
      for (const name of [gives, takes]) stream(name, time);
      stream(gives, arrivalOf(takes, plan.forward));
    } else {
      const { at, step } = action;
      for (const name of [...Object.values(step.reads), ...Object.values(step.writes)]) stream(name, time);
      for (const { name, type } of derivativeOf(step.program, step).residuals)
        touch(residualKey(at, step, name), type, time);
    }
  }
  for (const [back, action] of plan.backward.entries()) {
    const time = plan.forward.length + back;
    if (action.does === 'send') gradients(action.stream, time);
    else if (action.does === 'hand') {
      const answer = handKey(plan, action);
      gradients(action.step.takes, time);
      touch(
        gradientKey(action.step.takes),
        types.get(action.step.takes)!,
        plan.forward.length + arrivalOf(answer, plan.backward),
      );
      touch(answer, types.get(action.step.gives)!, time);
    } else {
      const { at, step } = action;
      const { kept, residuals } = derivativeOf(step.program, step);
      for (const input of kept) stream(step.reads[input], time);
      for (const { name, type } of residuals) touch(residualKey(at, step, name), type, time);
      for (const name of learntFrom(step)) gradients(name, time);
      for (const { stream: name, number } of readsBy(plan, at))
        touch(gradientKey(name, number), types.get(name)!, time);
    }
  }
  // What is laid before the first action, or read after the last one of a way.
  for (const name of lives.keys()) {
    if (!name.startsWith('batch.')) continue;
    stream(name, 0);
    stream(name, end);
  }
  const written = new Set(plan.part.steps.flatMap(learntFrom));
  for (const name of plan.keeps.filter((kept) => types.has(kept))) {
    stream(name, end);
    if (plan.backward.length > 0 && written.has(name)) {
      gradients(name, 0);
      gradients(name, end);
    }
  }
  return [...lives.values()];
}

/** Between two actions: when rows come that a hand waits for. What was handed over may be read where it lies until then. */
function arrivalOf(key: string, actions: readonly Action[]): number {
  const at = actions.findIndex(({ needs }) => needs.some((need) => need.key === key));
  return (at < 0 ? actions.length : at) - 0.5;
}

/** The gradient that a hand gives back. */
export function handKey(plan: StagePlan, { step }: Extract<Action, { does: 'hand' }>): string {
  return plan.keyOf(step.gives, step.to, true)!;
}

/** Gradients that the backward of a step writes: one for each of its reads that has one. */
export const readsBy = (plan: StagePlan, at: number) =>
  (plan.readersAt.get(at) ?? []).flatMap(({ stream, number, input }) => {
    if (input === null) return [];
    const { program } = plan.part.steps[at] as RunStep;
    return typeOf(program, input).dtype === 'f32' ? [{ stream, number, input }] : [];
  });
