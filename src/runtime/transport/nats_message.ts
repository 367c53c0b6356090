/**
 * A message to a NATS server as it stands on the wire: a line that names subject and length, the payload, a line end.
 * Bulk data is written so, around a payload that lies in memory with room for it: the client then need not put it
 * together in memory of its own.
 */

/** What memory must have around a payload, in bytes: for the longest subject, and aligned. */
export const Room = { before: 256, after: 2 } as const;

const CARRIAGE_RETURN = 13;
const LINE_FEED = 10;

/** Writes line and line end around `payload`; returns the whole message. Throws `RangeError` if there is no room. */
export function wrapMessage(subject: string, payload: Buffer): Buffer {
  const line = `PUB ${subject} ${payload.length}\r\n`;
  const start = payload.byteOffset - line.length;
  const end = payload.byteOffset + payload.length;
  const message = Buffer.from(payload.buffer, start, line.length + payload.length + Room.after);
  message.write(line, 0, 'latin1');
  message[end - start] = CARRIAGE_RETURN;
  message[end - start + 1] = LINE_FEED;
  return message;
}
