/** Ctrl-C, once and twice. */
import { describe, expect, test } from 'vitest';
import { interruptSignal, onInterrupt } from '../../src/cli/interrupt.ts';

test('the first signal aborts, a second within a second is the same one, and a later one kills', () => {
  expect(onInterrupt(null, 5000)).toBe('abort');
  expect(onInterrupt(5000, 5000)).toBe('ignore');
  expect(onInterrupt(5000, 6000)).toBe('ignore');
  expect(onInterrupt(5000, 6001)).toBe('kill');
});

describe.each(['SIGINT', 'SIGTERM'] as const)('%s', (name) => {
  test('is announced once, aborts, kills when it comes again, and is let go at the end', () => {
    const before = process.listenerCount(name);
    const log: string[] = [];
    let nowMs = 0;
    {
      using interrupt = interruptSignal({
        nowMs: () => nowMs,
        announce: () => log.push('announced'),
        kill: () => log.push('killed'),
      });
      interrupt.signal.addEventListener('abort', () => log.push('aborted'));
      process.emit(name);
      nowMs = 900;
      process.emit(name);
      expect(log).toEqual(['announced', 'aborted']);
      nowMs = 1001;
      process.emit(name);
      expect(log).toEqual(['announced', 'aborted', 'killed']);
      expect(process.listenerCount(name)).toBe(before + 1);
    }
    expect(process.listenerCount(name)).toBe(before);
  });
});
