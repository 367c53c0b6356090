/** How runs are cut: side by side, inside the run, with borders that move from epoch to epoch. */
import { describe, expect, it } from 'vitest';
import { TrainWindows, windowStarts } from '../../src/data/windows.ts';

const RUNS = [
  { begin: 0, end: 1000 },
  { begin: 1500, end: 1510 },
  { begin: 2000, end: 2015 },
  { begin: 3000, end: 3777 },
];
const WIDTH = 11;

const epoch = (windows: TrainWindows, index: number): number[] =>
  Array.from({ length: windows.count }, (_, i) => windows.start(index * windows.count + i));

describe('windows', () => {
  const windows = new TrainWindows('docs', RUNS, WIDTH, 1);

  it('lie side by side inside the runs, in every epoch', () => {
    for (let e = 0; e < 50; e++) {
      const starts = epoch(windows, e).toSorted((a, b) => a - b);
      expect(starts.slice(1).every((start, i) => start - starts[i] >= WIDTH)).toBe(true);
      for (const start of starts) {
        expect(RUNS.some(({ begin, end }) => begin <= start && start + WIDTH <= end)).toBe(true);
      }
    }
  });

  it('give up at most one window a run, and none of a run that has only one', () => {
    expect(windows.count).toBe(Math.floor(990 / WIDTH) + 0 + 1 + Math.floor(767 / WIDTH));
  });

  it('move their borders by any offset from epoch to epoch', () => {
    const offsets = new Set(Array.from({ length: 200 }, (_, e) => Math.min(...epoch(windows, e))));
    expect([...offsets].sort((a, b) => a - b)).toEqual(Array.from({ length: WIDTH }, (_, i) => i));
  });

  it('come in another order for another epoch, seed or corpus', () => {
    const orders = [
      epoch(windows, 0),
      epoch(windows, 1),
      epoch(new TrainWindows('docs', RUNS, WIDTH, 2), 0),
      epoch(new TrainWindows('docs', RUNS, WIDTH, 2 ** 32 + 1), 0),
      epoch(new TrainWindows('code', RUNS, WIDTH, 1), 0),
    ];
    expect(new Set(orders.map(String)).size).toBe(orders.length);
  });

  it('are none where no run is long enough', () => {
    expect(new TrainWindows('docs', [{ begin: 0, end: 10 }], WIDTH, 1).count).toBe(0);
  });

  it('start at the begin of each run for evaluation', () => {
    expect(
      windowStarts(
        [
          { begin: 5, end: 38 },
          { begin: 50, end: 60 },
          { begin: 70, end: 81 },
        ],
        11,
      ),
    ).toEqual([5, 16, 27, 70]);
  });
});
