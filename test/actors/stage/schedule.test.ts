/** The turns of pipeline stages: their order, how many microbatches are under way, and that stages never wait in a ring. */
import { describe, expect, it } from 'vitest';
import { depth, schedule, type Turn } from '../../../src/actors/stage/schedule.ts';

const text = (turns: readonly Turn[]): string =>
  turns.map(({ phase, microbatch }) => `${phase === 'forward' ? 'F' : 'B'}${microbatch}`).join(' ');

const shapes = [1, 2, 3, 4].flatMap((stages) =>
  [1, 2, 3, 4, 5, 8].map((microbatches) => [stages, microbatches] as const),
);
const range = (length: number): number[] => Array.from({ length }, (_, i) => i);

describe('the 1F1B schedule', () => {
  it.each([
    [0, 1, 'F0 B0 F1 B1 F2 B2 F3 B3'],
    [0, 2, 'F0 F1 B0 F2 B1 F3 B2 B3'],
    [1, 2, 'F0 B0 F1 B1 F2 B2 F3 B3'],
    [0, 4, 'F0 F1 F2 F3 B0 B1 B2 B3'],
    [1, 4, 'F0 F1 F2 B0 F3 B1 B2 B3'],
    [3, 4, 'F0 B0 F1 B1 F2 B2 F3 B3'],
  ])('of stage %i of %i over 4 microbatches is written down', (stage, stages, expected) => {
    expect(text(schedule(stage, stages, 4))).toBe(expected);
  });

  it('without backward is the forwards in order', () => {
    expect(text(schedule(0, 3, 3, false))).toBe('F0 F1 F2');
    expect(schedule(0, 3, 0, false)).toEqual([]);
  });

  it.each(shapes)(
    'of %i stages takes each of %i microbatches forth and back once, backward after forward',
    (stages, m) => {
      for (const stage of range(stages)) {
        const turns = schedule(stage, stages, m);
        const of = (phase: Turn['phase']): number[] =>
          turns.filter((turn) => turn.phase === phase).map((turn) => turn.microbatch);
        expect(of('forward')).toEqual(range(m));
        expect(of('backward')).toEqual(range(m));
        for (const i of range(m)) {
          const at = (phase: Turn['phase']): number => turns.findIndex((t) => t.phase === phase && t.microbatch === i);
          expect(at('forward')).toBeLessThan(at('backward'));
        }
      }
    },
  );

  it.each(shapes)('of %i stages has as many of %i microbatches under way as `depth` says, and no more', (stages, m) => {
    for (const stage of range(stages)) {
      let underWay = 0;
      let most = 0;
      for (const { phase } of schedule(stage, stages, m)) {
        underWay += phase === 'forward' ? 1 : -1;
        most = Math.max(most, underWay);
      }
      expect(most).toBe(depth(stage, stages, m));
    }
  });

  it.each(shapes)('of %i stages ends for %i microbatches when every turn waits for its neighbour', (stages, m) => {
    const turns = range(stages).map((stage) => schedule(stage, stages, m));
    const at = range(stages).map(() => 0);
    const done = new Set<string>();
    const isReady = (stage: number, { phase, microbatch }: Turn): boolean => {
      const from = phase === 'forward' ? stage - 1 : stage + 1;
      return from < 0 || from >= stages || done.has(`${phase}/${from}/${microbatch}`);
    };
    for (let progressed = true; progressed;) {
      progressed = false;
      for (const stage of range(stages)) {
        const turn = turns[stage].at(at[stage]);
        if (turn === undefined || !isReady(stage, turn)) continue;
        done.add(`${turn.phase}/${stage}/${turn.microbatch}`);
        at[stage]++;
        progressed = true;
      }
    }
    expect(at).toEqual(range(stages).map(() => 2 * m));
  });
});
