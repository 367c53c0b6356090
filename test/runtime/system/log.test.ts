/** Log lines on a terminal. */
import { expect, test, vi } from 'vitest';
import { stderrSink } from '../../../src/runtime/system/log.ts';

test('a warning is one line without what a terminal would obey, and what is less is not printed', () => {
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    const record = { address: 'run/stage-1', text: 'no file a\u001b[2J', fields: { from: 'b\u009b1m' } } as const;
    stderrSink({ level: 'info', ...record });
    stderrSink({ level: 'warn', ...record });
    expect(write.mock.calls).toEqual([['warn run/stage-1: no file a\\x1b[2J from=b\\x9b1m\n']]);
  } finally {
    write.mockRestore();
  }
});
