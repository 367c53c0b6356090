/** The decision store: the first decision about a step stands, in memory and on disk alike, and a crash costs none. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  DamagedDecisions,
  FileDecisionStore,
  MemoryDecisionStore,
  type DecisionStore,
} from '../../../src/actors/training/decision_store.ts';
import { KvDecisionStore } from '../../../src/actors/training/kv_decision_store.ts';
import type { Decision } from '../../../src/actors/protocol/decision.ts';
import { MemoryKvStore } from '../../../src/runtime/cluster/nats.ts';

let folder: string;
let path: string;
let count = 0;
const opened: FileDecisionStore[] = [];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-decisions-'));
});
afterEach(() => {
  for (const store of opened.splice(0)) store.close();
});
beforeEach(() => {
  path = join(folder, `${count++}.jsonl`);
});
afterAll(() => rmSync(folder, { recursive: true }));

const decision = (step: number, more: Partial<Decision> = {}): Decision => ({
  gen: 1,
  timeline: 0,
  step,
  verdict: 'commit',
  updateStep: step + 1,
  lr: 0.1 / (step + 3),
  clip: Math.fround(1 / 3),
  ...more,
});

/** What a store holds after the process that wrote it has gone. */
function reopened(): FileDecisionStore {
  const store = new FileDecisionStore(path);
  opened.push(store);
  return store;
}

describe.each([
  ['in memory', (): DecisionStore => new MemoryDecisionStore()],
  ['in a file', (): DecisionStore => reopened()],
  ['of a cluster', (): DecisionStore => new KvDecisionStore(new MemoryKvStore(), 'run-1', () => 2)],
])('a decision store %s', (_where, open) => {
  it('knows nothing at first', async () => {
    const store = open();
    expect(await store.find(0, 0)).toBeNull();
  });

  it('gives back what was decided, to the last bit', async () => {
    const store = open();
    const first = decision(0);
    expect(await store.decide(first)).toEqual(first);
    expect(await store.decide(decision(1))).toEqual(decision(1));
    expect(await store.find(0, 0)).toEqual(first);
    expect(await store.find(0, 1)).toEqual(decision(1));
    expect(await store.find(0, 2)).toBeNull();
  });

  it('lets the first decision about a step stand', async () => {
    const store = open();
    const first = decision(4, { verdict: 'skip' });
    await store.decide(first);
    expect(await store.decide(decision(4, { gen: 2 }))).toEqual(first);
    expect(await store.find(0, 4)).toEqual(first);
  });

  it('decides a step anew on another timeline, and leaves what stands on the one before', async () => {
    const store = open();
    const again = decision(4, { verdict: 'again' });
    await store.decide(again);
    const next = decision(4, { timeline: 1, gen: 2 });
    expect(await store.decide(next)).toEqual(next);
    expect(await store.find(0, 4)).toEqual(again);
    expect(await store.find(1, 4)).toEqual(next);
    expect(await store.find(1, 3)).toBeNull();
    await store.decide(decision(5, { timeline: 1 }));
    expect([await store.newest(0), await store.newest(1), await store.newest(2)]).toEqual([4, 5, null]);
  });

  it('tells the highest step that is decided, whatever came last', async () => {
    const store = open();
    expect(await store.newest(0)).toBeNull();
    for (const step of [2, 10, 9]) await store.decide(decision(step));
    expect(await store.newest(0)).toBe(10);
  });
});

describe('a decision file', () => {
  it('is durable: who opens it next finds what was decided', async () => {
    const store = reopened();
    await store.decide(decision(0));
    await store.decide(decision(1, { verdict: 'skip' }));
    // Not closed: the process died.
    const next = reopened();
    expect(await next.find(0, 0)).toEqual(decision(0));
    expect(await next.decide(decision(1))).toEqual(decision(1, { verdict: 'skip' }));
    expect(await next.decide(decision(2))).toEqual(decision(2));
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(4);
  });

  it('loses a torn last line, which was never a decision', async () => {
    const whole = `${JSON.stringify(decision(0))}\n`;
    const line = JSON.stringify(decision(1));
    for (const torn of [line, line.slice(0, 20), '{']) {
      writeFileSync(path, whole + torn);
      const store = reopened();
      expect(await store.find(0, 0)).toEqual(decision(0));
      expect(await store.find(0, 1)).toBeNull();
      expect(readFileSync(path, 'utf8')).toBe(whole);
      await store.decide(decision(1));
      expect(readFileSync(path, 'utf8')).toBe(`${whole}${line}\n`);
    }
  });

  it('loses a line torn in the middle of a character without touching those before', () => {
    const whole = `${JSON.stringify(decision(0))}\n`;
    writeFileSync(path, Buffer.concat([Buffer.from(whole), Buffer.of(0x7b, 0xe2, 0x82)]));
    reopened();
    expect(readFileSync(path, 'utf8')).toBe(whole);
  });

  it('of a release that knew no timelines is of timeline 0', async () => {
    const { timeline: _none, ...old } = decision(0);
    writeFileSync(path, `${JSON.stringify(old)}\n`);
    expect(await reopened().find(0, 0)).toEqual(decision(0));
  });

  it.each([
    ['is no JSON', 'oops'],
    ['goes back to no step', JSON.stringify({ ...decision(1), verdict: 'rollback' })],
    ['goes back to a later step', JSON.stringify({ ...decision(1), verdict: 'rollback', to: 2 })],
    ['is empty', ''],
    ['is of another shape', '{"gen":1,"step":1}'],
    ['has a verdict unheard of', JSON.stringify({ ...decision(1), verdict: 'perhaps' })],
    ['makes more updates than there were steps', JSON.stringify({ ...decision(1), updateStep: 3 })],
  ])('that is damaged before its end is refused, with file and line, and left as it is: a line %s', (_what, line) => {
    const text = `${JSON.stringify(decision(0))}\n${line}\n${JSON.stringify(decision(2))}\n{"torn`;
    writeFileSync(path, text);
    expect(reopened).toThrow(new DamagedDecisions(path, 2));
    expect(reopened).toThrow(`${path}:2: not a decision; restore the file, or start a new run directory`);
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  it('keeps the first of two lines about one step', async () => {
    writeFileSync(path, `${JSON.stringify(decision(3))}\n`);
    appendFileSync(path, `${JSON.stringify(decision(3, { gen: 2 }))}\n`);
    const store = reopened();
    expect(await store.find(0, 3)).toEqual(decision(3));
  });
});

describe("a cluster's record of a decision", () => {
  const key = 'decision.run-1.4';
  const wayOn =
    'run the same version on all nodes, or move nats/ of the run directory aside (on a server of your own: delete the bucket), ' +
    'then continue with --resume';

  it.each([
    ['about another step', JSON.stringify(decision(5)), 'no decision of step 4'],
    ['of another timeline', JSON.stringify(decision(4, { timeline: 1 })), 'no decision of timeline 0'],
    ['of a gen that has not been', JSON.stringify(decision(4, { gen: 9 })), 'no decision of a gen up to 2'],
    [
      'with too many updates',
      JSON.stringify(decision(4, { updateStep: 6 })),
      'no decision that makes at most 5 updates',
    ],
    ['of another shape', '{"step":4}', 'no decision (gen: Invalid input: expected number, received undefined)'],
    ['that is no JSON', 'oops\u0000\u0001', 'no decision (Invalid input: expected object, received null)'],
  ])('%s is refused by its key, with what was found and what to do', async (_what, text, problem) => {
    const kv = new MemoryKvStore();
    await kv.createOrGet(key, text);
    const store = new KvDecisionStore(kv, 'run-1', () => 2);
    const found = text.replace(/[^ -~]+/, '?').slice(0, 60);
    const refusal = { tag: 'DamagedRecord', message: `key ${key}: ${problem}, but '${found}'; ${wayOn}` };
    await expect(store.find(0, 4)).rejects.toMatchObject(refusal);
    await expect(store.decide(decision(4))).rejects.toMatchObject(refusal);
  });
});
