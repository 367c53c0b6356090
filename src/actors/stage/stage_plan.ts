/**
 * The plan of a microbatch's way through a stage: what is done in which order, forward and back, and what each action waits
 * for. It follows from the steps alone. Where a hand gives rows away, they go as soon as they are there, forward and back, so
 * that the peer works while this stage goes on with whatever does not need the answer.
 */
import type { HandStep, RunStep } from '../../models/model.ts';
import type { StagePart } from './stage_part.ts';
import { learntFrom, readsOf, writesOf } from './step_streams.ts';

/** A mixture by its id, or a pipeline rank. */
export type Peer = string | number;

/** Something that reads a stream: an input of a step, a hand, or another rank. Each gives back a gradient of its own. */
export interface Reader {
  readonly stream: string;
  /** Number among the readers of the stream. */
  readonly number: number;
  /** Number of the step, and which of the program's inputs; null for what is somewhere else. */
  readonly step: number | null;
  readonly input: string | null;
  /** Whom its gradient comes from, as a message; null where a program of this stage writes it. */
  readonly peer: Peer | null;
}

/** Rows that have to have come before an action. */
export interface Need {
  /** The tensor that they are laid into: a stream, or the gradient that a reader gives back. */
  readonly key: string;
  readonly stream: string;
  readonly peer: Peer;
}

/** One thing that a stage does for a microbatch. */
export type Action =
  | { readonly does: 'run'; readonly at: number; readonly step: RunStep; readonly needs: readonly Need[] }
  | { readonly does: 'hand'; readonly step: HandStep; readonly needs: readonly Need[] }
  /** A stream to the ranks that read it, or its gradient to the rank that wrote it. */
  | { readonly does: 'send'; readonly stream: string; readonly to: readonly number[]; readonly needs: readonly Need[] };

/** Key of the gradient of a stream that one of its readers gives back; the sum over all readers is made at the first. */
export const gradientKey = (stream: string, reader = 0): string => `d_${stream} ${reader}`;

export class StagePlan {
  readonly part: StagePart;
  /** Readers by stream, in the order in which their gradients are added. */
  readonly readers: ReadonlyMap<string, readonly Reader[]>;
  /** The same by the number of the step that reads. */
  readonly readersAt: ReadonlyMap<number | null, readonly Reader[]>;
  readonly forward: readonly Action[];
  /** Empty where nothing is to go back. */
  readonly backward: readonly Action[];
  /** Streams that are read when the way forward is over; the way back begins at the gradient of the first. */
  readonly keeps: readonly string[];

  /** Throws `TypeError` where a stream is written that nobody reads, for which there would be no gradient. */
  constructor(part: StagePart, { keeps, isTraining }: { keeps: readonly string[]; isTraining: boolean }) {
    this.part = part;
    this.keeps = keeps;
    this.readers = readersOf(part);
    this.readersAt = Map.groupBy([...this.readers.values()].flat(), ({ step }) => step);
    for (const stream of part.steps.flatMap(writesOf)) {
      const isRead = this.readers.has(stream) || keeps.includes(stream);
      if (!isRead) throw new TypeError(`stream ${stream} is written, and nobody reads it`);
    }
    this.forward = this.planForward();
    this.backward = isTraining ? this.planBackward() : [];
  }

  /** The tensor for rows that a peer sends: of a stream, or of its gradient. Null where none is expected. */
  keyOf(stream: string, peer: Peer, isGradient: boolean): string | null {
    if (!isGradient) {
      const { steps, arrivals } = this.part;
      const isArrival = arrivals.some((one) => one.stream === stream && one.from === peer);
      const isAnswer = steps.some((step) => step.kind === 'hand' && step.takes === stream && step.to === peer);
      return isArrival || isAnswer ? stream : null;
    }
    const reader = this.readers.get(stream)?.find((one) => one.peer === peer);
    return reader === undefined ? null : gradientKey(stream, reader.number);
  }

  private planForward(): Action[] {
    const { steps, arrivals, departures } = this.part;
    const sources = new Map<string, Peer>(arrivals.map(({ stream, from }) => [stream, from]));
    const waiting = (streams: readonly string[]): Need[] =>
      streams.flatMap((stream) => {
        const peer = sources.get(stream);
        // Whoever reads it first waits for it.
        sources.delete(stream);
        return peer === undefined ? [] : [{ key: stream, stream, peer }];
      });
    const actions: Action[] = [];
    for (const [at, step] of steps.entries()) {
      const needs = waiting(readsOf(step));
      if (step.kind === 'run') actions.push({ does: 'run', at, step, needs });
      else {
        actions.push({ does: 'hand', step, needs });
        sources.set(step.takes, step.to);
      }
      for (const { stream, to } of departures) {
        if (writesOf(step).includes(stream)) actions.push({ does: 'send', stream, to, needs: waiting([stream]) });
      }
    }
    return actions;
  }

  private planBackward(): Action[] {
    const { steps, arrivals } = this.part;
    const actions: Action[] = [];
    const hands = new Map(steps.flatMap((step) => (step.kind === 'hand' ? [[step.takes, step] as const] : [])));
    for (let at = steps.length - 1; at >= 0; at--) {
      const step = steps[at];
      if (step.kind === 'run') actions.push({ does: 'run', at, step, needs: this.gradientsOf(learntFrom(step)) });
      // An answer that only other ranks read: nobody here makes its gradient.
      else if (!this.isReadHere(step.takes)) {
        actions.push({ does: 'hand', step, needs: this.gradientsOf([step.takes]) });
      }
      // Of what this step was the first to read all gradients are made now.
      for (const stream of new Set(readsOf(step))) {
        const first = this.readers.get(stream)!.find((reader) => reader.step !== null)!;
        if (first.step !== at) continue;
        const hand = hands.get(stream);
        const arrival = arrivals.find((one) => one.stream === stream);
        const needs = this.gradientsOf([stream]);
        if (hand !== undefined) actions.push({ does: 'hand', step: hand, needs });
        if (arrival !== undefined) actions.push({ does: 'send', stream, to: [arrival.from], needs });
      }
    }
    return actions;
  }

  private isReadHere(stream: string): boolean {
    return this.readers.get(stream)?.some(({ step }) => step !== null) === true;
  }

  /** Gradients of streams that come as messages. */
  private gradientsOf(streams: readonly string[]): Need[] {
    return streams.flatMap((stream) =>
      (this.readers.get(stream) ?? []).flatMap(({ number, peer }) =>
        peer === null ? [] : [{ key: gradientKey(stream, number), stream, peer }],
      ),
    );
  }
}

/** Steps in their order, then other ranks in theirs. */
function readersOf({ steps, departures }: StagePart): Map<string, Reader[]> {
  const readers = new Map<string, Reader[]>();
  const add = (stream: string, reader: Pick<Reader, 'step' | 'input' | 'peer'>): void => {
    const known = readers.get(stream) ?? [];
    readers.set(stream, [...known, { stream, number: known.length, ...reader }]);
  };
  for (const [at, step] of steps.entries()) {
    if (step.kind === 'hand') add(step.gives, { step: at, input: null, peer: step.to });
    else for (const [input, stream] of Object.entries(step.reads)) add(stream, { step: at, input, peer: null });
  }
  for (const { stream, to } of departures) for (const rank of to) add(stream, { step: null, input: null, peer: rank });
  return readers;
}
