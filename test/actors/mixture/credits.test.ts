/** Credits are identified: what is taken twice, past the grant or returned by the wrong rows is refused. */
import { describe, expect, it } from 'vitest';
import { CreditError, CreditLedger } from '../../../src/actors/mixture/credits.ts';

describe('a credit', () => {
  it('is outstanding from take to settle', () => {
    const ledger = new CreditLedger(4);
    ledger.take(0, 'forward', 1, [4, 3]);
    ledger.take(1, 'forward', 1, [0, 0]);
    expect(ledger.size).toBe(2);
    ledger.settle(0, 'forward', 1, 7);
    ledger.settle(1, 'forward', 1, 0);
    expect(ledger.size).toBe(0);
  });

  it('is one for each microbatch, phase and group', () => {
    const ledger = new CreditLedger(4);
    ledger.take(0, 'forward', 0, [1]);
    ledger.take(0, 'backward', 0, [1]);
    ledger.take(0, 'forward', 1, [1]);
    ledger.take(1, 'forward', 0, [1]);
    expect(ledger.size).toBe(4);
  });

  it('taken twice is refused, and the first stands', () => {
    const ledger = new CreditLedger(4);
    ledger.take(2, 'forward', 1, [3]);
    expect(() => ledger.take(2, 'forward', 1, [1])).toThrow(new CreditError('credit 2/forward/1 is taken already'));
    ledger.settle(2, 'forward', 1, 3);
  });

  it('past the grant of one expert is refused and not taken', () => {
    const ledger = new CreditLedger(4);
    const take = (): void => ledger.take(0, 'backward', 0, [1, 5, 2]);
    expect(take).toThrow(new CreditError('credit 0/backward/0: 5 rows for one expert, granted 4'));
    expect(ledger.size).toBe(0);
  });

  it.each([
    ['fewer rows', 0, 6, 'credit 0/forward/0: 6 rows came back, 7 were sent'],
    ['more rows', 0, 8, 'credit 0/forward/0: 8 rows came back, 7 were sent'],
    ['rows of another microbatch', 1, 7, 'credit 1/forward/0: 7 rows came back, none were sent'],
  ])('is not settled by %s', (_what, microbatch, rows, message) => {
    const ledger = new CreditLedger(4);
    ledger.take(0, 'forward', 0, [4, 3]);
    expect(() => ledger.settle(microbatch, 'forward', 0, rows)).toThrow(new CreditError(message));
    expect(ledger.size).toBe(1);
  });

  it('settled twice is refused', () => {
    const ledger = new CreditLedger(4);
    ledger.take(0, 'forward', 0, [2]);
    ledger.settle(0, 'forward', 0, 2);
    expect(() => ledger.settle(0, 'forward', 0, 2)).toThrow(
      new CreditError('credit 0/forward/0: 2 rows came back, none were sent'),
    );
  });
});
