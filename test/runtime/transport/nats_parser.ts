/**
 * The NATS client protocol, either direction, cut into pieces: a line, and for a message the payload that follows it.
 * Bytes come in as the network cuts them; each is looked at once and copied once, whatever the length of a payload.
 */

export interface NatsPiece {
  /** INFO, CONNECT, PUB, MSG, +OK ..., in capitals. */
  readonly verb: string;
  /** As it travels, line ends included. */
  readonly bytes: Buffer;
  /** Of a message (PUB, HPUB, MSG, HMSG); null for all else. */
  readonly subject: string | null;
  /** Where the payload starts in `bytes`, after line and headers. */
  readonly payloadAt: number;
  readonly payloadBytes: number;
}

/** What a line says of the bytes that follow it. */
interface Head {
  readonly verb: string;
  readonly subject: string | null;
  readonly headerBytes: number;
  /** Headers and payload. */
  readonly bodyBytes: number;
}

const NEWLINE = 10;
const LINE_END_BYTES = 2;
const MESSAGES: ReadonlySet<string> = new Set(['PUB', 'HPUB', 'MSG', 'HMSG']);

export class NatsParser {
  /** Of the piece that is on its way. */
  #parts: Buffer[] = [];
  /** Of the message whose body is on its way. */
  #head: Head | null = null;
  #missingBytes = 0;

  /** The pieces that `bytes` complete; throws `RangeError` at a message line that is none. */
  push(bytes: Buffer): NatsPiece[] {
    const pieces: NatsPiece[] = [];
    let rest = bytes;
    while (rest.length > 0) {
      const taken = rest.subarray(0, this.#head === null ? lineEnd(rest) : this.#missingBytes);
      rest = rest.subarray(taken.length);
      this.#parts.push(taken);
      const piece = this.#head === null ? this.#takeLine(taken) : this.#takeBody(this.#head, taken);
      if (piece !== null) pieces.push(piece);
    }
    return pieces;
  }

  #takeLine(taken: Buffer): NatsPiece | null {
    if (taken.at(-1) !== NEWLINE) return null;
    const line = this.#join();
    const head = headOf(line);
    if (head.subject === null) return { ...head, bytes: line, payloadAt: line.length, payloadBytes: 0 };
    this.#parts = [line];
    this.#head = head;
    this.#missingBytes = head.bodyBytes + LINE_END_BYTES;
    return null;
  }

  #takeBody({ verb, subject, headerBytes, bodyBytes }: Head, taken: Buffer): NatsPiece | null {
    this.#missingBytes -= taken.length;
    if (this.#missingBytes > 0) return null;
    this.#head = null;
    const bytes = this.#join();
    const payloadBytes = bodyBytes - headerBytes;
    return { verb, subject, bytes, payloadAt: bytes.length - LINE_END_BYTES - payloadBytes, payloadBytes };
  }

  #join(): Buffer {
    const bytes = Buffer.concat(this.#parts);
    this.#parts = [];
    return bytes;
  }
}

/** Where the first line of `bytes` ends, if it does. */
function lineEnd(bytes: Buffer): number {
  const newline = bytes.indexOf(NEWLINE);
  return newline === -1 ? bytes.length : newline + 1;
}

function headOf(line: Buffer): Head {
  const verb = /^\S*/.exec(line.toString('latin1', 0, 16))?.[0].toUpperCase() ?? '';
  if (!MESSAGES.has(verb)) return { verb, subject: null, headerBytes: 0, bodyBytes: 0 };
  const text = line.toString('latin1').trim();
  const words = text.split(/\s+/);
  const bodyBytes = Number(words.at(-1));
  const headerBytes = verb.startsWith('H') ? Number(words.at(-2)) : 0;
  const isSound = [headerBytes, bodyBytes - headerBytes].every((count) => Number.isSafeInteger(count) && count >= 0);
  if (!isSound || words.length < 3) throw new RangeError(`NATS protocol: '${text}' is no message line`);
  return { verb, subject: words[1], headerBytes, bodyBytes };
}
