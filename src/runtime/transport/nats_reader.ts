/**
 * What the client's parser is given besides: memory for messages that arrive in several reads, and an end where bytes make
 * no sense. By itself it copies such a message into memory that it doubles as more comes, which makes three times the
 * message in garbage and copies most of it again; its length is known from the first line, so here its memory has that
 * length from the start, and messages that are lent lie in the same memory one after the other. And after bytes that are no protocol it prints a stack and reads no more, while the connection
 * seems to live.
 */

import type { Parser } from 'nats';

/**
 * To be called for each parser that a connection gets: one at its start, and one each time that it is back. `lends`: nobody
 * looks at a message once its subscriber has returned. `onNonsense` is to drop the connection: what comes after cannot be
 * told from what came before.
 */
export function tendParser(parser: Parser, lends: boolean, onNonsense: () => void): void {
  const parse = parser.parse.bind(parser);
  /** Memory that messages were put together in before. */
  let room: Parser['msgBuf'];
  let isLost = false;
  parser.parse = (bytes) => {
    if (isLost) return;
    try {
      parse(bytes);
    } catch {
      isLost = true;
      return onNonsense();
    }
    const { msgBuf, ma } = parser;
    if (msgBuf === undefined || msgBuf === room) return;
    if (room === undefined || room.capacity < ma.size) {
      if (msgBuf.capacity < ma.size) msgBuf.grow(ma.size - msgBuf.length);
      if (lends) room = msgBuf;
      return;
    }
    room.reset();
    room.write(msgBuf.bytes({ copy: false }));
    parser.msgBuf = room;
  };
}
