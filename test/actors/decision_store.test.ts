/** The decision store: the first decision about a step stands, in memory and on disk alike, and a crash costs none. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  DamagedDecisions,
  FileDecisionStore,
  MemoryDecisionStore,
  type DecisionStore,
} from '../../src/actors/decision_store.ts';
import type { Decision } from '../../src/actors/protocol/stateful.ts';

let folder: string;
let path: string;
let count = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-decisions-'));
});
beforeEach(() => {
  path = join(folder, `${count++}.jsonl`);
});
afterAll(() => rmSync(folder, { recursive: true }));

const decision = (step: number, more: Partial<Decision> = {}): Decision => ({
  gen: 1,
  step,
  verdict: 'commit',
  updateStep: step + 1,
  lr: 0.1 / (step + 3),
  clip: Math.fround(1 / 3),
  ...more,
});

/** What a store holds after the process that wrote it has gone. */
function reopened(): FileDecisionStore {
  return new FileDecisionStore(path);
}

describe.each([
  ['in memory', (): DecisionStore => new MemoryDecisionStore()],
  ['in a file', (): DecisionStore => new FileDecisionStore(path)],
])('a decision store %s', (_where, open) => {
  it('knows nothing at first', () => {
    const store = open();
    expect(store.find(0)).toBeNull();
    store.close();
  });

  it('gives back what was decided, to the last bit', () => {
    const store = open();
    const first = decision(0);
    expect(store.decide(first)).toEqual(first);
    expect(store.decide(decision(1))).toEqual(decision(1));
    expect(store.find(0)).toEqual(first);
    expect(store.find(1)).toEqual(decision(1));
    expect(store.find(2)).toBeNull();
    store.close();
  });

  it('lets the first decision about a step stand', () => {
    const store = open();
    const first = decision(4, { verdict: 'skip' });
    store.decide(first);
    expect(store.decide(decision(4, { gen: 2 }))).toEqual(first);
    expect(store.find(4)).toEqual(first);
    store.close();
  });
});

describe('a decision file', () => {
  it('is durable: who opens it next finds what was decided', () => {
    const store = new FileDecisionStore(path);
    store.decide(decision(0));
    store.decide(decision(1, { verdict: 'skip' }));
    // Not closed: the process died.
    const next = reopened();
    expect(next.find(0)).toEqual(decision(0));
    expect(next.decide(decision(1))).toEqual(decision(1, { verdict: 'skip' }));
    expect(next.decide(decision(2))).toEqual(decision(2));
    store.close();
    next.close();
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(4);
  });

  it('loses a torn last line, which was never a decision', () => {
    const whole = `${JSON.stringify(decision(0))}\n`;
    const line = JSON.stringify(decision(1));
    for (const torn of [line, line.slice(0, 20), '{']) {
      writeFileSync(path, whole + torn);
      const store = reopened();
      expect(store.find(0)).toEqual(decision(0));
      expect(store.find(1)).toBeNull();
      expect(readFileSync(path, 'utf8')).toBe(whole);
      store.decide(decision(1));
      store.close();
      expect(readFileSync(path, 'utf8')).toBe(`${whole}${line}\n`);
    }
  });

  it('loses a line torn in the middle of a character without touching those before', () => {
    const whole = `${JSON.stringify(decision(0))}\n`;
    writeFileSync(path, Buffer.concat([Buffer.from(whole), Buffer.of(0x7b, 0xe2, 0x82)]));
    reopened().close();
    expect(readFileSync(path, 'utf8')).toBe(whole);
  });

  it.each([
    ['is no JSON', 'oops'],
    ['is empty', ''],
    ['is of another shape', '{"gen":1,"step":1}'],
    ['has a verdict unheard of', JSON.stringify({ ...decision(1), verdict: 'perhaps' })],
  ])('that is damaged before its end is refused, with file and line, and left as it is: a line %s', (_what, line) => {
    const text = `${JSON.stringify(decision(0))}\n${line}\n${JSON.stringify(decision(2))}\n{"torn`;
    writeFileSync(path, text);
    expect(reopened).toThrow(new DamagedDecisions(path, 2));
    expect(reopened).toThrow(`${path}:2: not a decision; restore the file, or start a new run directory`);
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  it('keeps the first of two lines about one step', () => {
    writeFileSync(path, `${JSON.stringify(decision(3))}\n`);
    appendFileSync(path, `${JSON.stringify(decision(3, { gen: 2 }))}\n`);
    const store = reopened();
    expect(store.find(3)).toEqual(decision(3));
    store.close();
  });
});
