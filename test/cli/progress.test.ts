/** Progress lines, from made-up steps and a made-up clock. */
import { describe, expect, test } from 'vitest';
import type { RunEvent } from '../../src/run/run_port.ts';
import { Pace } from '../../src/cli/pace.ts';
import { linesOf, Progress } from '../../src/cli/progress.ts';
import { stepMetrics } from '../telemetry/step.ts';
import { RecordedScreen } from './screens.ts';

describe('the pace of a run', () => {
  test('is unknown before the first step', () => {
    const pace = new Pace(400);
    expect(pace.line).toBe('');
    expect(pace.remainingMs).toBeNull();
  });

  test('has no ETA at the first step', () => {
    const pace = new Pace(400);
    pace.add(stepMetrics(1, { loss: 5.5452 }), 1000);
    expect(pace.line).toBe('step 1/400  loss 5.545  5.0 k tokens/s  dropped 2.3 %');
  });

  test('tells the ETA from the times between steps', () => {
    const pace = new Pace(400);
    pace.add(stepMetrics(119), 10_000);
    pace.add(stepMetrics(120, { loss: 2.34 }), 10_750);
    expect(pace.line).toBe('step 120/400  loss 2.340  5.0 k tokens/s  dropped 2.3 %  ETA 3 min 30 s');
  });

  test('is that of the last ten steps, and one slow step does not change the rate', () => {
    const pace = new Pace(100);
    for (let step = 1; step <= 20; step += 1) pace.add(stepMetrics(step, { tokens_per_second: 100 }), 0);
    for (let step = 21; step <= 29; step += 1) {
      pace.add(stepMetrics(step, { tokens_per_second: 8000 }), 4000 + (step - 20) * 1000);
    }
    pace.add(stepMetrics(30, { tokens_per_second: 10 }), 14_000);
    expect(pace.line).toContain('8.0 k tokens/s');
    // 14 s for the last ten steps, 70 to go.
    expect(pace.remainingMs).toBe(98_000);
  });

  test('goes on after a resume, with the steps that are left', () => {
    const pace = new Pace(300);
    pace.add(stepMetrics(201), 0);
    pace.add(stepMetrics(202), 2000);
    expect(pace.remainingMs).toBe(196_000);
  });

  test('has no ETA at the last step', () => {
    const pace = new Pace(250);
    pace.add(stepMetrics(249), 0);
    pace.add(stepMetrics(250), 1000);
    expect(pace.line).toBe('step 250/250  loss 2.500  5.0 k tokens/s  dropped 2.3 %');
  });

  test('of a dense model drops nothing and says nothing of it', () => {
    const pace = new Pace(10);
    pace.add(stepMetrics(1, { routed: 0, processed: 0, dropped: 0 }), 0);
    expect(pace.line).toBe('step 1/10  loss 2.500  5.0 k tokens/s');
  });
});

describe('an event reads', () => {
  const evaluated = { kind: 'evaluated', step: 100, name: 'held_out', bitsPerByte: null } as const;
  const ready = { kind: 'ready', parameters: 2_690_176, activeParameters: 855_168, tokensPerStep: 4096 } as const;
  test.each<[string, Exclude<RunEvent, { kind: 'step' | 'node' | 'packing' }>, string]>([
    [
      'as the size of the run when it is ready',
      { ...ready, workers: 2, nodes: 1 },
      '2.7 M parameters, 0.9 M active; 4096 tokens a step; 2 workers on 1 node',
    ],
    [
      'as a held-out loss beside the baseline',
      { ...evaluated, evalLoss: 2.0004, order1Loss: 2.4321 },
      'step 100: held-out loss 2.000 (order-1 model: 2.432)',
    ],
    [
      'as a held-out loss alone where there is no baseline',
      { ...evaluated, step: 100, evalLoss: 2, order1Loss: null },
      'step 100: held-out loss 2.000',
    ],
    ['as a path', { kind: 'checkpoint', step: 100, path: 'runs/a/c' }, 'step 100: checkpoint runs/a/c'],
    ['as a text that goes on', { kind: 'sample', prompt: 'The ', text: 'end' }, 'sample: The end'],
    ['as it is', { kind: 'notice', text: 'two workers joined' }, 'two workers joined'],
    ['without what a terminal would obey', { kind: 'notice', text: 'a\u001b[2J.txt' }, 'a\\x1b[2J.txt'],
    ['as a phase', { kind: 'phase', text: 'packing corpora' }, 'packing corpora'],
  ])('%s', (_how, event, line) => {
    expect(linesOf(event).map(withoutColours)).toEqual([line]);
  });
});

describe('progress', () => {
  test('of packing is drawn in place, and a line every ten seconds where there is no terminal', () => {
    const mebibytes = (done: number): RunEvent => ({
      kind: 'packing',
      doneBytes: done * 2 ** 20,
      totalBytes: 600 * 2 ** 20,
    });
    for (const isLive of [true, false]) {
      const screen = new RecordedScreen(isLive);
      let nowMs = 0;
      const progress = new Progress({ screen, totalSteps: 25, nowMs: () => nowMs });
      progress.observe({ kind: 'packing', doneBytes: 5 * 2 ** 20, totalBytes: null });
      for (nowMs of [200, 9_900, 10_000, 10_200]) progress.observe(mebibytes(nowMs / 100));
      expect((isLive ? screen.drawn : screen.printed).map(withoutColours)).toEqual(
        isLive
          ? [
              'reading corpora: 5 MiB',
              'packing corpora: 2 MiB of 600 MiB',
              'packing corpora: 99 MiB of 600 MiB',
              'packing corpora: 100 MiB of 600 MiB',
              'packing corpora: 102 MiB of 600 MiB',
            ]
          : ['packing corpora: 100 MiB of 600 MiB'],
      );
    }
  });

  test('shows the control characters of a sample on a terminal, and passes them on elsewhere', () => {
    for (const isLive of [true, false]) {
      const screen = new RecordedScreen(isLive);
      const progress = new Progress({ screen, totalSteps: 25, nowMs: () => 0 });
      // The prompt of a chat is out of somebody's rows.
      progress.observe({ kind: 'sample', prompt: 'The\u0007 ', text: 'end\u0007' });
      expect(screen.printed.map(withoutColours)).toEqual([
        isLive ? 'sample: The\\x07 end\\x07' : 'sample: The\u0007 end\u0007',
      ]);
    }
  });

  test('is a line at once, every ten steps and at the end where there is no terminal', () => {
    const screen = new RecordedScreen(false);
    const progress = new Progress({ screen, totalSteps: 25, nowMs: () => 0 });
    progress.observe({ kind: 'phase', text: 'packing corpora' });
    for (let step = 1; step <= 25; step += 1) progress.observe({ kind: 'step', metrics: stepMetrics(step) });
    progress.observe({ kind: 'checkpoint', step: 25, path: 'c' });
    expect(screen.printed.map(withoutColours).map((line) => line.split('  ')[0])).toEqual([
      'packing corpora',
      'step 1/25',
      'step 10/25',
      'step 20/25',
      'step 25/25',
      'step 25: checkpoint c',
    ]);
  });

  test('is a line each half minute where steps take long and there is no terminal, the first that of a resume', () => {
    const screen = new RecordedScreen(false);
    let nowMs = 0;
    const progress = new Progress({ screen, totalSteps: 900, nowMs: () => nowMs });
    for (let step = 101; step <= 109; step += 1) {
      progress.observe({ kind: 'step', metrics: stepMetrics(step) });
      nowMs += 12_000;
    }
    expect(screen.printed.map((line) => line.split('  ')[0])).toEqual(['step 101/900', 'step 104/900', 'step 107/900']);
  });

  test('is drawn in place at every step on a terminal, below the lines that stay', () => {
    const screen = new RecordedScreen(true);
    let nowMs = 0;
    const progress = new Progress({ screen, totalSteps: 3, nowMs: () => nowMs });
    progress.observe({ kind: 'phase', text: 'packing corpora' });
    progress.observe({ kind: 'step', metrics: stepMetrics(1) });
    nowMs = 500;
    progress.observe({ kind: 'step', metrics: stepMetrics(2) });
    progress.observe({ kind: 'notice', text: 'evaluating' });
    progress.end();
    expect(screen.printed).toEqual(['evaluating']);
    const last = 'step 2/3  loss 2.500  5.0 k tokens/s  dropped 2.3 %  ETA 1 s';
    expect(screen.drawn.map(withoutColours)).toEqual([
      'packing corpora',
      'step 1/3  loss 2.500  5.0 k tokens/s  dropped 2.3 %',
      last,
      last,
      '(end)',
    ]);
  });
});

/** Colours depend on where the tests run. */
function withoutColours(line: string): string {
  return line.replaceAll(new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g'), '');
}
