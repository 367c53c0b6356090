/**
 * What can go wrong in the runtime. Each class carries a tag to switch on and one line that says what, where and what to
 * do. An error thrown by the actor that was asked arrives as `RemoteError` with the tag of the original: switch on `tag`.
 */

/** An address cannot name an actor. */
export class InvalidAddress extends Error {
  readonly tag = 'InvalidAddress';
  override readonly name = 'InvalidAddress';
  constructor(address: string) {
    super(`address '${address}': use lower-case segments of a-z 0-9 _ . - joined by '/', such as 'run/expert-1-3'`);
  }
}

/** A message table is wrong, or was not kept to. */
export class ProtocolError extends Error {
  readonly tag = 'ProtocolError';
  override readonly name = 'ProtocolError';
  constructor(where: string, what: string) {
    super(`${where}: ${what}`);
  }
}

/** Two actors want the same address. */
export class AddressTaken extends Error {
  readonly tag = 'AddressTaken';
  override readonly name = 'AddressTaken';
  constructor(address: string) {
    super(`${address}: an actor lives there already; stop it first or choose another address`);
  }
}

/** Nobody lives at the address. */
export class NoSuchActor extends Error {
  readonly tag = 'NoSuchActor';
  override readonly name = 'NoSuchActor';
  constructor(address: string, message: string) {
    super(`${address}: no such actor for '${message}'; it has ended, restarts, or was never started`);
  }
}

/** The sender may not send this message. */
export class NotAllowed extends Error {
  readonly tag = 'NotAllowed';
  override readonly name = 'NotAllowed';
  constructor(address: string, message: string, sender: string) {
    super(`${address}: '${message}' is not for ${sender} to send; see 'from' in the message table`);
  }
}

/** What an asker knew when it gave up; nulls if the actor lives elsewhere. */
export interface AskState {
  readonly waitedMs: number;
  readonly mailboxDepth: number | null;
  readonly lastHandled: string | null;
}

/** An ask was not answered in time. */
export class AskTimeout extends Error {
  readonly tag = 'AskTimeout';
  override readonly name = 'AskTimeout';
  readonly address: string;
  readonly asked: string;
  readonly waitedMs: number;
  readonly mailboxDepth: number | null;
  readonly lastHandled: string | null;
  constructor(address: string, asked: string, { waitedMs, mailboxDepth, lastHandled }: AskState) {
    super(
      `${address}: no answer to '${asked}' in ${Math.round(waitedMs)} ms (mailbox depth ${mailboxDepth ?? 'unknown'}, ` +
        `last handled ${lastHandled === null ? 'unknown' : `'${lastHandled}'`}); see what holds it, or raise timeoutMs`,
    );
    this.address = address;
    this.asked = asked;
    this.waitedMs = waitedMs;
    this.mailboxDepth = mailboxDepth;
    this.lastHandled = lastHandled;
  }
}

/** An ask would wait for itself. */
export class AskCycle extends Error {
  readonly tag = 'AskCycle';
  override readonly name = 'AskCycle';
  readonly chain: readonly string[];
  constructor(chain: readonly string[], address: string, message: string) {
    super(`${address}: asking '${message}' would wait for itself (${[...chain, address].join(' → ')}); tell instead`);
    this.chain = [...chain, address];
  }
}

/** The data lane of a mailbox was full: its sender sent beyond its credits. */
export class MailboxFull extends Error {
  readonly tag = 'MailboxFull';
  override readonly name = 'MailboxFull';
  constructor(address: string, message: string, capacity: number) {
    super(`${address}: mailbox full at ${capacity} data messages, '${message}' not taken; send within credits`);
  }
}

/** An envelope of a gen that is not the receiver's, or an ask cut short because its gen ended. */
export class WrongGen extends Error {
  readonly tag = 'WrongGen';
  override readonly name = 'WrongGen';
  constructor(address: string, message: string, sentGen: number, ownGen: number) {
    super(`${address}: '${message}' of gen ${sentGen} in gen ${ownGen}; enter the gen, then ask again`);
  }
}

/** Data computed with older parameters than the receiver has. */
export class StaleParams extends Error {
  readonly tag = 'StaleParams';
  override readonly name = 'StaleParams';
  constructor(address: string, message: string, sent: number, own: number) {
    super(`${address}: '${message}' of parameter version ${sent} refused at version ${own}; run the step again`);
  }
}

/** Args that do not fit the schema of their message. */
export class InvalidArgs extends Error {
  readonly tag = 'InvalidArgs';
  override readonly name = 'InvalidArgs';
  constructor(address: string, message: string, problem: string) {
    super(`${address}: '${message}' ${problem}; see the schema in the message table`);
  }
}

/** The constructor of an actor threw. */
export class StartFailed extends Error {
  readonly tag = 'StartFailed';
  override readonly name = 'StartFailed';
  constructor(address: string, cause: unknown) {
    super(`${address}: failed to start: ${describeError(cause)}`, { cause });
  }
}

/** A supervisor restarted too often, or may not restart at all, and gives up. */
export class RestartsExceeded extends Error {
  readonly tag = 'RestartsExceeded';
  override readonly name = 'RestartsExceeded';
  constructor(
    supervisor: string,
    { intensity, periodMs }: { readonly intensity: number; readonly periodMs: number },
    { child, error }: { readonly child: string; readonly error: string },
  ) {
    const why = intensity === 0 ? 'may not restart its actors' : `restarted ${intensity} times in ${periodMs} ms`;
    // An error that names its actor, or that a supervisor below has explained already, is not named again.
    const cause = error.includes(child) ? error : `${child} ended: ${error}`;
    super(error.includes('gives up') ? error : `${cause} (${supervisor} ${why} and gives up)`);
  }
}

/** The system has stopped or is stopping. */
export class SystemStopped extends Error {
  readonly tag = 'SystemStopped';
  override readonly name = 'SystemStopped';
  constructor(system: string) {
    super(`system ${system}: stopped; start a new one`);
  }
}

/** Bytes that are no frame. */
export class MalformedFrame extends Error {
  readonly tag = 'MalformedFrame';
  override readonly name = 'MalformedFrame';
  constructor(what: string) {
    super(`frame: ${what}; the sender speaks another version or the bytes were damaged`);
  }
}

/** A value that cannot travel. */
export class CannotEncode extends Error {
  readonly tag = 'CannotEncode';
  override readonly name = 'CannotEncode';
  constructor(what: string) {
    super(
      `args: ${what}; send plain objects, arrays, numbers, strings, booleans, null, and tensors and refs where the message table has them`,
    );
  }
}

/** An error at the actor that was asked; tag and message are those of the original. */
export class RemoteError extends Error {
  readonly tag: string;
  override readonly name = 'RemoteError';
  constructor(tag: string, message: string) {
    super(message);
    this.tag = tag;
  }
}

/** The tag of an error if it has one, else its name. */
export function tagOf(error: unknown): string {
  if (!(error instanceof Error)) return 'Error';
  return 'tag' in error && typeof error.tag === 'string' ? error.tag : error.name;
}

/** The one line of an error. */
export function describeError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
