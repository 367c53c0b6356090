import { expect, test } from 'vitest';
import { mix } from '../../../src/runtime/testing/random.ts';
import { clientName, withoutServers } from './nats_greeting.ts';
import { NatsParser, type NatsPiece } from './nats_parser.ts';

const LINES = [
  'INFO {"server_id":"x","max_payload":1048576}\r\n',
  'CONNECT {"verbose":false,"name":"test/a data"}\r\n',
  'SUB troupe.test.v1.data.a.* 1\r\n',
  'PUB troupe.test.v1.data.b.a 5\r\nhello\r\n',
  'PUB troupe.test.v1.control.b.a troupe.test.v1.ack.a.b 4\r\n\r\n\r\n\r\n',
  'HPUB a.b 22 25\r\nNATS/1.0\r\nBar: baz\r\n\r\nabc\r\n',
  'MSG a.b 9 0\r\n\r\n',
  'MSG a.b 9 reply.to 11\r\nPING\r\nMSG a\r\n',
  'HMSG a.b 1 reply 16 16\r\nNATS/1.0 503\r\n\r\n\r\n',
  '+OK\r\n',
  "-ERR 'Stale Connection'\r\n",
  'PING\r\n',
  'PONG\r\n',
];
const MESSAGES: readonly (readonly [string, string, string])[] = [
  ['PUB', 'troupe.test.v1.data.b.a', 'hello'],
  ['PUB', 'troupe.test.v1.control.b.a', '\r\n\r\n'],
  ['HPUB', 'a.b', 'abc'],
  ['MSG', 'a.b', ''],
  ['MSG', 'a.b', 'PING\r\nMSG a'],
  ['HMSG', 'a.b', ''],
];

const payloadOf = ({ bytes, payloadAt, payloadBytes }: NatsPiece): string =>
  bytes.toString('latin1', payloadAt, payloadAt + payloadBytes);

test('pieces are the same wherever the network cuts the bytes', () => {
  const stream = Buffer.from(LINES.join(''));
  for (let seed = 0; seed < 200; seed++) {
    const parser = new NatsParser();
    const pieces: NatsPiece[] = [];
    for (let at = 0; at < stream.length;) {
      const end = at + 1 + (mix(seed, at) % (1 + (seed % 40)));
      pieces.push(...parser.push(stream.subarray(at, end)));
      at = end;
    }
    expect(pieces.map(({ bytes }) => bytes.toString())).toEqual(LINES);
    const messages = pieces.filter(({ subject }) => subject !== null);
    expect(messages.map((piece) => [piece.verb, piece.subject, payloadOf(piece)])).toEqual(MESSAGES);
  }
});

test('a payload of 8 MB in packets of 1,000 bytes is one piece', () => {
  const payload = Buffer.alloc(8 * 2 ** 20, 'troupe');
  const stream = Buffer.concat([Buffer.from(`MSG a.b 1 ${payload.length}\r\n`), payload, Buffer.from('\r\nPING\r\n')]);
  const parser = new NatsParser();
  const pieces: NatsPiece[] = [];
  for (let at = 0; at < stream.length; at += 1_000) pieces.push(...parser.push(stream.subarray(at, at + 1_000)));
  expect(pieces.map(({ verb, payloadBytes }) => [verb, payloadBytes])).toEqual([
    ['MSG', payload.length],
    ['PING', 0],
  ]);
  expect(Buffer.concat(pieces.map(({ bytes }) => bytes)).equals(stream)).toBe(true);
});

test.each(['MSG a.b 1 x\r\n', 'PUB a\r\n', 'HMSG a 1 9 8\r\n', 'MSG a 1 -1\r\n'])('%j is no message line', (line) => {
  expect(() => new NatsParser().push(Buffer.from(line))).toThrow(`NATS protocol: '${line.trim()}' is no message line`);
});

test('an INFO loses the addresses of servers and nothing else, and a CONNECT tells its client', () => {
  const info =
    'INFO {"server_id":"x","connect_urls":["127.0.0.1:1"],"ws_connect_urls":["127.0.0.1:2"],"headers":true}\r\n';
  const [piece, connect] = new NatsParser().push(Buffer.from(info + LINES[1] + 'CONNECT {}\r\n'));
  expect(withoutServers(piece).toString()).toBe('INFO {"server_id":"x","headers":true}\r\n');
  expect(clientName(connect)).toBe('test/a data');
});
