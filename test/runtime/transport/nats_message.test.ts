import { expect, test } from 'vitest';
import { LinkBuffers } from '../../../src/runtime/transport/link_buffers.ts';
import { checkNodeName, subjectOf } from '../../../src/runtime/transport/nats_subject.ts';
import { wrapMessage } from '../../../src/runtime/transport/nats_message.ts';

test('line and line end stand around the payload, which stays where it is', () => {
  const payload = new LinkBuffers().take(5);
  payload.write('hello');
  const message = wrapMessage('a.b', payload);
  expect(message.toString()).toBe('PUB a.b 5\r\nhello\r\n');
  expect([message.buffer, payload.toString()]).toEqual([payload.buffer, 'hello']);
});

test('there is room for the longest subject and the longest message', () => {
  const name = checkNodeName('node', 'x'.repeat(64));
  const subject = subjectOf(name, 'control', name, name);
  const payload = new LinkBuffers().take(8 * 2 ** 20).fill(7);
  const message = wrapMessage(subject, payload);
  expect(message.indexOf(`PUB ${subject} 8388608\r\n`)).toBe(0);
  expect(message.subarray(-3)).toEqual(Buffer.from([7, 13, 10]));
});

test('memory without room is refused', () => {
  expect(() => wrapMessage('a.b', Buffer.from(new ArrayBuffer(8)))).toThrow(RangeError);
});
