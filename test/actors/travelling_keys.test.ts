import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { HeapFramePool } from '../../src/runtime/index.ts';
import type { Envelope, Route } from '../../src/runtime/system/envelope.ts';
import { protocolNamed } from '../../src/runtime/system/protocol.ts';
import { Codec } from '../../src/runtime/transport/codec.ts';
import { structuresOf } from '../../src/runtime/transport/structures.ts';
import { play, smallTopology } from './kit.ts';

const codec = new Codec(new HeapFramePool());

/** The header of a message without its route, as text of one character a byte. */
function packed(envelope: Envelope): string {
  const { bytes, frame, length } = codec.encode({ ...envelope, traceparent: null, askChain: [] }, false);
  const text = Buffer.from(bytes.subarray(0, length)).toString('latin1');
  frame?.release();
  return text;
}

/** A key as it is packed where it travels. */
const asKey = (key: string): string => String.fromCharCode(0xa0 + key.length) + key;

const keysOf = ({ protocol }: Route): string[] => {
  const table = protocolNamed(protocol);
  return table === undefined ? [] : structuresOf(table).flat();
};

test('in training, evaluation and a checkpoint no key of a message table travels', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'troupe-keys-'));
  const travelled = new Map<string, string[]>();
  let messages = 0;
  const judge = (envelope: Envelope): null => {
    const { kind, message, protocol } = envelope.route;
    const text = packed(envelope);
    const keys = keysOf(envelope.route).filter((key) => text.includes(asKey(key)));
    if (keys.length > 0) travelled.set(`${kind} ${protocol}.${message}`, keys);
    messages += 1;
    return null;
  };
  await play(smallTopology(), { directory, system: { filter: { judge } } });
  rmSync(directory, { recursive: true });
  expect(Object.fromEntries(travelled)).toEqual({});
  expect(messages).toBeGreaterThan(300);
});
