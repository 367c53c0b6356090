/**
 * What a system counts, for tests to assert and dashboards to show. Each number only grows.
 */

export class Counters {
  /** Messages whose handler was called. */
  delivered = 0;
  /** Of a lower gen than the system's: dropped. */
  droppedStale = 0;
  /** Of a higher gen than the system has entered: refused. */
  refusedAhead = 0;
  /** Data that came before its parameter version, kept until then. */
  parked = 0;
  /** Data of an older parameter version: refused. */
  refusedStaleParams = 0;
  /** Not in the message table, not allowed to the sender, or not of the schema. */
  refusedInvalid = 0;
  /** Data messages of ours that found a full mailbox: a bug of their sender. */
  mailboxFull = 0;
  /** Messages to nobody, left in the mailbox of an actor that ended, or sent by one. */
  deadLetters = 0;
  /** Answers that came when nobody waited any more. */
  lateReplies = 0;
  /** Byte sequences that were no frame. */
  malformed = 0;
  /** Handlers that threw. */
  failures = 0;
  /** Faults that a fault plan put in. */
  faults = 0;
  sent = 0;
  bytesSent = 0;
}
