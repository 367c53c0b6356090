import { expect, test } from 'vitest';
import { lastWordsOf } from '../../../src/runtime/cluster/nats_server_words.ts';

const line = (level: string, text: string): string => `[7] 2026/01/01 00:00:00.000000 [${level}] ${text}`;

test.each([
  [line('FTL', "Can't start JetStream: storage directory is not a directory"), true],
  ['panic: runtime error: index out of range [3] with length 2', true],
  [line('FTL', "Can't start JetStream: could not create storage directory - mkdir x: no space left on device"), false],
  [line('FTL', "Can't start JetStream: open x: permission denied"), false],
  [line('FTL', 'Error listening on port: 127.0.0.1:4222, "address already in use"'), false],
  ['nats-server: x.conf:1:1: a config that it does not know', false],
])('of the last words "%s" it is known whether they are about damage to the store: %s', (said, isStoreDamaged) => {
  const log = [line('INF', 'Starting'), line('FTL', 'before'), said, 'goroutine 1 [running]:', ''].join('\n');
  expect(lastWordsOf(log)).toEqual({ reason: said.replace(/^.*\[FTL\] /, ''), isStoreDamaged });
});

test('a log without an error has no last words', () => {
  expect(lastWordsOf(`${line('INF', 'Starting')}\n${line('WRN', 'slow')}\n`)).toBeNull();
});
