/** Runs whose products are in less than fp32: near to the run in fp32, and under the same contract of bits. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bitsOf, RunFolder, type Played } from './run_kit.ts';

const folder = new RunFolder();
afterAll(() => folder[Symbol.dispose]());

const settings = {
  'training.steps': 6,
  'checkpoint.interval': 3,
  'training.eval_interval': 6,
  'training.loss_scale.growth_interval': 4,
};
const valuesOf = ({ curve }: Played, key: string): unknown[] =>
  curve.map((line) => new Map<string, unknown>(Object.entries(line)).get(key));
const lossesOf = (played: Played): number[] => valuesOf(played, 'loss').map(Number);

let full: Played;
beforeAll(async () => {
  full = await folder.play(settings);
});

describe.each(['bf16', 'fp16'])('in %s', (precision) => {
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
    // While the first step is written down the second is under way.
    expect(first.outcome).toMatchObject({ status: 'interrupted', step: 2 });
    expect(bitsOf(await folder.play(low, { resume: first.runDir }))).toEqual(bitsOf(alone));
  });

  it('a scale is written down in fp16 only', () => {
    const files = ['metrics.jsonl', 'events.jsonl', 'decisions.jsonl', 'checkpoints/step-000006.g1/manifest.json'];
    const texts = files.map((file) => readFileSync(join(alone.runDir, file), 'utf8'));
    if (precision !== 'fp16') {
      for (const text of texts) expect(text).not.toMatch(/lossScale|"loss_scale":\d|"kind":"loss_scale"/);
      return;
    }
    expect(valuesOf(alone, 'loss_scale')).toEqual([65_536, 65_536, 65_536, 65_536, 131_072, 131_072]);
    expect(texts[1]).toMatch(
      /"kind":"loss_scale","step":4,"from":65536,"to":131072,"reason":"4 steps without an overflow"/,
    );
    expect(JSON.parse(texts[3])).toMatchObject({ lossScale: { scale: 131_072, cleanSteps: 2 } });
  });

  it('does not go on in another precision', async () => {
    await expect(folder.play(settings, { resume: alone.runDir })).rejects.toMatchObject({
      tag: 'ResumeRefused',
      message: expect.stringMatching(
        new RegExp(`training.precision was "${precision}" and is "fp32" now; resume with what the run began with$`),
      ) as unknown,
    });
  });
});
