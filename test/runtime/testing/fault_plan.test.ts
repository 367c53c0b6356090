import { expect, test } from 'vitest';
import { createTestSystem, FaultPlan, Probe, unit, type FaultRule } from '../../../src/runtime/testing/index.ts';
import { counterProtocol } from '../counter.ts';

/** What a probe gets of the numbers 1 to `count`, and when, under one rule. */
async function under(rule: FaultRule, count = 5, advanceMs = 100) {
  const plan = new FaultPlan(3, [rule]);
  const { system, clock } = createTestSystem({ filter: plan });
  const probe = new Probe(system, counterProtocol, 'run/probe');
  for (let n = 1; n <= count; n++) probe.ref.tell.add({ n });
  await clock.advance(advanceMs);
  const got = probe.received.map(({ args }) => Object.values(args ?? {}).join());
  await system.stop();
  return { got: got.join(' '), faults: system.counters.faults, events: plan.events };
}

test.each<[string, FaultRule, string]>([
  ['drop', { fault: { kind: 'drop' }, skip: 1 }, '1 3 4 5'],
  ['drop of two', { fault: { kind: 'drop' }, skip: 1, times: 2 }, '1 4 5'],
  ['duplicate', { fault: { kind: 'duplicate' }, skip: 2 }, '1 2 3 3 4 5'],
  ['delay', { fault: { kind: 'delay', ms: 50 } }, '2 3 4 5 1'],
  ['reorder', { fault: { kind: 'reorder', ms: 50 }, skip: 1 }, '1 3 2 4 5'],
  ['reorder of the last', { fault: { kind: 'reorder', ms: 50 }, skip: 4 }, '1 2 3 4 5'],
  ['rule for others', { fault: { kind: 'drop' }, to: 'run/other', times: 9 }, '1 2 3 4 5'],
  ['rule for other senders', { fault: { kind: 'drop' }, from: 'run/*', times: 9 }, '1 2 3 4 5'],
  ['rule for other messages', { fault: { kind: 'drop' }, message: 'bulk', times: 9 }, '1 2 3 4 5'],
  ['rule by patterns', { fault: { kind: 'drop' }, to: 'run/*', from: '@*', times: 9 }, ''],
])('a %s does what it says', async (_, rule, got) => {
  expect((await under(rule)).got).toBe(got);
});

test('a delayed message comes when its time has come', async () => {
  const rule: FaultRule = { fault: { kind: 'delay', ms: 50 } };
  expect((await under(rule, 2, 49)).got).toBe('2');
  expect((await under(rule, 2, 50)).got).toBe('2 1');
});

test('a kill ends the receiver before it sees the message', async () => {
  const filter = new FaultPlan(1, [{ to: 'run/probe', skip: 1, fault: { kind: 'kill' } }]);
  const { system, log } = createTestSystem({ filter });
  const probe = new Probe(system, counterProtocol, 'run/probe');
  probe.ref.tell.add({ n: 1 });
  await system.idle();
  probe.ref.tell.add({ n: 2 });
  await system.idle();
  expect(probe.messages).toEqual(['add']);
  expect(log.map(({ address, text }) => `${address} ${text}`)).toEqual([
    'run/probe killed',
    "run/probe dead letter: 'add' from @local (no such actor)",
  ]);
  expect(system.counters).toMatchObject({ faults: 1, deadLetters: 1 });
  await system.stop();
});

test('chance is a function of the seed and of the number of the message', async () => {
  const rule: FaultRule = { fault: { kind: 'drop' }, probability: 0.5, times: 100 };
  const kept = Array.from({ length: 20 }, (_, i) => i).filter((i) => unit(3, 0, i) >= 0.5);
  const first = await under(rule, 20);
  expect(first.got).toBe(kept.map((i) => i + 1).join(' '));
  expect(first.faults).toBe(20 - kept.length);
  expect(first.events[0]).toEqual({ fault: { kind: 'drop' }, to: 'run/probe', from: '@local', message: 'add' });
  expect(kept.length).toBe(13);
});
