/** Ctrl-C, once and twice, and a terminal that is closed. */
import { describe, expect, test } from 'vitest';
import { interruptSignal, isNohup, onInterrupt } from '../../src/cli/interrupt.ts';

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
        env: {},
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

describe.each(['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const)('%s', (name) => {
  /** What two of them do that are a minute apart. */
  function twice(env: NodeJS.ProcessEnv): string[] {
    const log: string[] = [];
    let nowMs = 0;
    using interrupt = interruptSignal({
      nowMs: () => nowMs,
      announce: () => log.push('announced'),
      kill: () => log.push('killed'),
      env,
    });
    interrupt.signal.addEventListener('abort', () => log.push('aborted'));
    process.emit(name);
    nowMs = 60_000;
    process.emit(name);
    return log;
  }

  test('aborts, and never kills, however often shell, kernel and batch system send it', () => {
    const before = process.listenerCount(name);
    expect(twice({})).toEqual(['announced', 'aborted']);
    expect(process.listenerCount(name)).toBe(before);
  });

  test('is ignored under nohup if it is that of a closed terminal', () => {
    expect(twice({ _: '/usr/bin/nohup' })).toEqual(name === 'SIGHUP' ? [] : ['announced', 'aborted']);
  });
});

test('nohup is known by what the shell says that it started', () => {
  expect(['/usr/bin/nohup', '/usr/bin/node', undefined].map((_) => isNohup({ _ }))).toEqual([true, false, false]);
});
