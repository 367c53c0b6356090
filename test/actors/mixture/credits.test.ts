/** Credits are identified and limited: who finds none waits, and what is taken twice or returned by the wrong rows is refused. */
import { describe, expect, it } from 'vitest';
import { CreditError, CreditLedger, type Claim, type Grant, type Phase } from '../../../src/actors/mixture/credits.ts';
import type { PassKind, Unit } from '../../../src/actors/protocol/pass.ts';

const grant: Grant = { rows: 4, microbatches: 2, bytes: 100 };

const unit = (microbatch: number, kind: PassKind = 'train'): Unit => ({ kind, data: 'd', step: 3, microbatch });

const claim = (microbatch: number, phase: Phase = 'forward', more: Partial<Claim> = {}): Claim => ({
  unit: unit(microbatch),
  phase,
  group: 0,
  counts: [3, 1],
  bytes: 10,
  ...more,
});

describe('a credit', () => {
  it('is outstanding from take to settle', () => {
    const ledger = new CreditLedger(grant);
    expect(ledger.take(claim(0))).toBe(true);
    expect(ledger.take(claim(1, 'forward', { counts: [0, 0] }))).toBe(true);
    expect(ledger.size).toBe(2);
    ledger.settle(unit(0), 'forward', 0, 4);
    ledger.settle(unit(1), 'forward', 0, 0);
    expect(ledger.size).toBe(0);
  });

  it('is one for each unit, phase and group', () => {
    const ledger = new CreditLedger(grant);
    for (const each of [
      claim(0),
      claim(0, 'backward'),
      claim(0, 'forward', { group: 1 }),
      claim(0, 'forward', { unit: unit(0, 'score') }),
    ])
      expect(ledger.take(each)).toBe(true);
    expect(ledger.size).toBe(4);
  });

  it('taken twice is refused, and the first stands', () => {
    const ledger = new CreditLedger(grant);
    ledger.take(claim(2));
    expect(() => ledger.take(claim(2))).toThrow(new CreditError('credit train/d/3/2/forward/0 is taken already'));
    ledger.settle(unit(2), 'forward', 0, 4);
  });

  it('past the grant of one expert is refused and not taken', () => {
    const ledger = new CreditLedger(grant);
    expect(() => ledger.take(claim(0, 'backward', { counts: [1, 5] }))).toThrow(
      new CreditError('credit train/d/3/0/backward/0: 5 rows for one expert, granted 4'),
    );
    expect(ledger.size).toBe(0);
  });

  it.each([
    ['fewer rows', 0, 3, 'credit train/d/3/0/forward/0: 3 rows came back, 4 were sent'],
    ['more rows', 0, 5, 'credit train/d/3/0/forward/0: 5 rows came back, 4 were sent'],
    ['rows of another microbatch', 1, 4, 'credit train/d/3/1/forward/0: 4 rows came back, none were sent'],
  ])('is not settled by %s', (_what, microbatch, rows, message) => {
    const ledger = new CreditLedger(grant);
    ledger.take(claim(0));
    expect(() => ledger.settle(unit(microbatch), 'forward', 0, rows)).toThrow(new CreditError(message));
    expect(ledger.size).toBe(1);
  });

  it('settled twice is refused', () => {
    const ledger = new CreditLedger(grant);
    ledger.take(claim(0));
    ledger.settle(unit(0), 'forward', 0, 4);
    expect(() => ledger.settle(unit(0), 'forward', 0, 4)).toThrow('4 rows came back, none were sent');
  });
});

describe('who finds no credit waits', () => {
  it('while the experts keep something of as many microbatches as they may, until gradients have come back', () => {
    const ledger = new CreditLedger(grant);
    ledger.take(claim(0));
    ledger.take(claim(1));
    ledger.settle(unit(0), 'forward', 0, 4);
    expect(ledger.take(claim(2))).toBe(false);
    expect(ledger.take(claim(0, 'backward'))).toBe(true);
    expect(ledger.take(claim(2))).toBe(false);
    ledger.settle(unit(0), 'backward', 0, 4);
    expect(ledger.take(claim(2))).toBe(true);
  });

  it('which of a pass without gradients is until its rows have come back', () => {
    const ledger = new CreditLedger({ ...grant, microbatches: 1 });
    const scored = (microbatch: number) => claim(microbatch, 'forward', { unit: unit(microbatch, 'score') });
    ledger.take(scored(0));
    expect(ledger.take(scored(1))).toBe(false);
    ledger.settle(unit(0, 'score'), 'forward', 0, 4);
    expect(ledger.take(scored(1))).toBe(true);
  });

  it('while as many bytes are under way as may be, but one dispatch always goes', () => {
    const ledger = new CreditLedger(grant);
    expect(ledger.take(claim(0, 'forward', { bytes: 1000 }))).toBe(true);
    expect(ledger.take(claim(1))).toBe(false);
    expect(ledger.take(claim(1, 'forward', { group: 1 }))).toBe(true);
    ledger.settle(unit(0), 'forward', 0, 4);
    expect(ledger.take(claim(0, 'backward', { bytes: 90 }))).toBe(true);
    expect(ledger.take(claim(1, 'forward', { bytes: 10 }))).toBe(true);
  });

  it('and nobody after all credits are returned', () => {
    const ledger = new CreditLedger(grant);
    ledger.take(claim(0));
    ledger.take(claim(1));
    ledger.clear();
    expect(ledger.size).toBe(0);
    expect(ledger.take(claim(2))).toBe(true);
  });
});
