/** What server and client say of themselves when they meet, as far as one who stands between them has to know it. */

import { z } from 'zod';
import type { NatsPiece } from './nats_parser.ts';

const objectSchema = z.looseObject({});
const connectSchema = z.looseObject({ name: z.string().default('') });

const bodyOf = ({ verb, bytes }: NatsPiece): unknown => JSON.parse(bytes.toString('utf8', verb.length));

/** An INFO without the addresses of servers, so that a client knows of none but the one it has dialled. */
export function withoutServers(info: NatsPiece): Buffer {
  const { connect_urls: _urls, ws_connect_urls: _wsUrls, ...kept } = objectSchema.parse(bodyOf(info));
  return Buffer.from(`INFO ${JSON.stringify(kept)}\r\n`);
}

/** The name that a client gives itself in its CONNECT. */
export const clientName = (connect: NatsPiece): string => connectSchema.parse(bodyOf(connect)).name;
