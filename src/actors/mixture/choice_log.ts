/**
 * A choice log knows what the tokens of a router chose: it keeps that where a run has a record of its routing, and gives what was
 * chosen before where a run takes choices from a record. A router notes, asks, and says when a pass is over; files are not its
 * business.
 */
import type { Unit } from '../protocol/pass.ts';

export interface ChoiceLog {
  /** choices_RP, best first, that a microbatch has to take; null where its tokens choose. */
  recorded(unit: Unit): Promise<Int32Array | null>;
  /** Keeps choices_RP of a microbatch until `flush`. */
  note(unit: Unit, choices_RP: Int32Array): void;
  /** Writes down what was noted. Says once, in a line, why that cannot be done; from then on nothing is kept. */
  flush(): string | null;
  /** Forgets what was noted since `flush`: its pass was left. */
  drop(): void;
  /** Hears that the parameters are those of so many data steps again: what comes after them is kept once more. */
  rewind(dataStep: number): void;
  close(): void;
}

/** Gives a router its choice log. */
export interface RoutingPort {
  open(mixture: string, dataRank: number): Promise<ChoiceLog>;
}

const noLog: ChoiceLog = {
  recorded: () => Promise.resolve(null),
  note: () => undefined,
  flush: () => null,
  drop: () => undefined,
  rewind: () => undefined,
  close: () => undefined,
};

/** For a run that neither keeps a record nor takes one. */
export const noRouting: RoutingPort = { open: () => Promise.resolve(noLog) };
