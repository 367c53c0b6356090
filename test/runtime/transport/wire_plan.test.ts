import { expect, test } from 'vitest';
import { mix, unit } from '../../../src/runtime/testing/random.ts';
import { NatsParser } from './nats_parser.ts';
import { WirePlan, type WireRule } from './wire_plan.ts';

const DATA = 'troupe.test.v1.data.b.a';

const message = (subject: string, payload = 'x') =>
  new NatsParser().push(Buffer.from(`MSG ${subject} 1 ${payload.length}\r\n${payload}\r\n`))[0];

/** Which of ten messages to `subject` are hit by `rule`. */
function hits(rule: Partial<WireRule>, subject = DATA, payload = 'x'): number[] {
  const plan = new WirePlan(3, [{ subject: '>', fault: { kind: 'drop' }, times: Infinity, ...rule }]);
  const numbers = Array.from({ length: 10 }, (_, n) => n);
  return numbers.filter(() => plan.judge('client', message(subject, payload)) !== null);
}
const ALL = hits({});

test.each<[string, Partial<WireRule>, number[]]>([
  ['that fits all', {}, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
  ['that happens once', { times: 1 }, [0]],
  ['after some', { skip: 3, times: 2 }, [3, 4]],
  ['for the subject', { subject: DATA }, ALL],
  ['for another subject', { subject: `${DATA}b` }, []],
  ['for words', { subject: 'troupe.*.v1.data.b.*' }, ALL],
  ['for fewer words', { subject: 'troupe.*.v1.data.*' }, []],
  ['for the rest', { subject: 'troupe.test.>' }, ALL],
  ['for no rest', { subject: `${DATA}.>` }, []],
  ['for the other direction', { towards: 'server' }, []],
])('a rule %s', (_, rule, expected) => {
  expect(hits(rule)).toEqual(expected);
});

test('what has no payload cannot be corrupted, and is not counted', () => {
  expect(hits({ fault: { kind: 'corrupt' }, skip: 1 }, DATA, '')).toEqual([]);
  expect(hits({ fault: { kind: 'corrupt' }, skip: 1 }, DATA)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('chance is a function of the seed and of the number of the message', () => {
  expect(hits({ probability: 0.5 })).toEqual(ALL.filter((n) => unit(3, 0, n) < 0.5));
});

test('the first rule that hits happens, and all count', () => {
  const plan = new WirePlan(7, [
    { subject: '>', fault: { kind: 'drop' }, skip: 1 },
    { subject: '>', fault: { kind: 'duplicate' }, skip: 1, times: 2 },
  ]);
  const kinds = ALL.map(() => plan.judge('client', message(DATA))?.fault.kind ?? '-');
  expect(kinds.join(' ')).toBe('- drop duplicate duplicate - - - - - -');
  expect(plan.events).toEqual([
    { fault: { kind: 'drop' }, towards: 'client', subject: DATA, draw: mix(7, 0, 1, 1) },
    { fault: { kind: 'duplicate' }, towards: 'client', subject: DATA, draw: mix(7, 1, 2, 1) },
    { fault: { kind: 'duplicate' }, towards: 'client', subject: DATA, draw: mix(7, 1, 3, 1) },
  ]);
});
