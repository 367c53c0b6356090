/** Runs whose products are in less than fp32: near to the run in fp32, and under the same contract of bits. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bitsOf, RunFolder, type Played } from './run_kit.ts';

const folder = new RunFolder();
afterAll(() => folder[Symbol.dispose]());

const settings = { 'training.steps': 6, 'checkpoint.interval': 3, 'training.eval_interval': 6 };
const valuesOf = ({ curve }: Played, key: string): unknown[] =>
  curve.map((line) => new Map<string, unknown>(Object.entries(line)).get(key));
const lossesOf = (played: Played): number[] => valuesOf(played, 'loss').map(Number);

let full: Played;
beforeAll(async () => {
  full = await folder.play(settings);
});

describe.each(['bf16'])('in %s', (precision) => {
  const low = { ...settings, 'training.precision': precision };
  let alone: Played;
  beforeAll(async () => {
    alone = await folder.play(low);
  });

  it('the loss is within a hundredth of that in fp32, and not the same', () => {
    const [found, expected] = [lossesOf(alone), lossesOf(full)];
    expect(found).toHaveLength(6);
    found.forEach((loss, i) => expect(Math.abs(loss / expected[i] - 1)).toBeLessThan(1e-2));
    expect(found.at(-1)).toBeLessThan(found[0]);
    expect(found).not.toEqual(expected);
  });

  it('two threads give the bits of one', async () => {
    expect(bitsOf(await folder.play({ ...low, 'cluster.workers_per_node': 2 }))).toEqual(bitsOf(alone));
  });

  it('a run that is interrupted and goes on draws the curve of the undisturbed one', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const watch = ({ kind }: Played['events'][number]): void => {
      if (kind === 'step') controller.abort();
    };
    const first = await folder.play(low, { signal, watch });
    expect(first.outcome).toMatchObject({ status: 'interrupted', step: 1 });
    expect(bitsOf(await folder.play(low, { resume: first.runDir }))).toEqual(bitsOf(alone));
  });

  it('does not go on in another precision', async () => {
    await expect(folder.play(settings, { resume: alone.runDir })).rejects.toMatchObject({
      tag: 'ResumeRefused',
      message: expect.stringMatching(
        new RegExp(`training.precision was "${precision}" and is absent now; resume with what the run began with$`),
      ) as unknown,
    });
  });
});
