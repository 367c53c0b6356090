/**
 * Memory for messages that arrive in several reads. The client's parser copies such a message into memory that it doubles
 * as more comes, which makes three times the message in garbage and copies most of it again. Its length is known from the
 * first line: here its memory has that length from the start.
 */

import type { Parser } from 'nats';

/** To be called for each parser that a connection gets: one at its start, and one each time that it is back. */
export function makeRoomForWholeMessages(parser: Parser): void {
  const parse = parser.parse.bind(parser);
  parser.parse = (bytes) => {
    parse(bytes);
    const { msgBuf, ma } = parser;
    if (msgBuf !== undefined && msgBuf.capacity < ma.size) msgBuf.grow(ma.size - msgBuf.length);
  };
}
