/** A model of somebody's own sublayers trains like any other: the same bits everywhere, resumed, and generating. */
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { generate } from '../../src/run/generate.ts';
import { RunFolder, bitsOf, type Played } from './run_kit.ts';

const folder = new RunFolder();
afterAll(() => folder[Symbol.dispose]());

/** A mixer that adds what the token before says; SwiGLU in layers and experts. */
const mine = `
export { feedForward } from './swiglu.ts';
export const mixer = {
  weights: ({ hidden: D }, { matrix }) => ({
    own_DD: matrix('shift.own.weight', D, D),
    before_DD: matrix('shift.before.weight', D, D),
  }),
  apply: (h_RD, { own_DD, before_DD }, { batch: B, sequence: T, hidden: D }, { add, matmul, pad, reshape, slice }) => {
    const before_BTD = pad(slice(reshape(h_RD, [B, T, D]), 1, 0, T - 1), 1, 1, 0);
    const before_RD = reshape(before_BTD, [B * T, D]);
    return add(matmul(h_RD, own_DD, { transposeB: true }), matmul(before_RD, before_DD, { transposeB: true }));
  },
};
`;
const settings = { 'model.sublayers': 'mine.ts' };

let alone: Played;
beforeAll(async () => {
  copyFileSync(fileURLToPath(new URL('../../examples/swiglu.ts', import.meta.url)), join(folder.path, 'swiglu.ts'));
  writeFileSync(join(folder.path, 'mine.ts'), mine);
  alone = await folder.play(settings);
});

it('trains another model than the usual one, which learns', async () => {
  const usual = await folder.play({});
  expect(bitsOf(alone)).not.toEqual(bitsOf(usual));
  expect(alone.outcome.evalLoss).toBeLessThan(5.4);
  const parametersOf = ({ events }: Played) => events.find((event) => event.kind === 'ready')!.parameters;
  // In each of two layers four matrices become two; each of 1 dense and 4 expert networks has a third.
  expect(parametersOf(alone) - parametersOf(usual)).toBe(2 * -2 * 32 * 32 + 5 * 32 * 64);
});

for (const { where, cluster, tags } of [
  { where: 'two threads', cluster: { 'cluster.workers_per_node': 2 }, tags: [] },
  { where: 'two nodes', cluster: { 'cluster.nodes': 2, 'cluster.nats.url': 'auto' }, tags: ['nats-server'] },
])
  it(`is the same bits on ${where}`, { tags }, async () => {
    expect(bitsOf(await folder.play({ ...settings, ...cluster }))).toEqual(bitsOf(alone));
  });

it('generates from its checkpoint', async () => {
  let text = '';
  await generate({
    checkpointDir: alone.runDir,
    prompt: 'actor ',
    maxTokens: 8,
    temperature: 0,
    seed: 1,
    allowCode: true,
    write: (part) => (text += part),
    notice: (line) => expect.unreachable(line),
  });
  expect(text).toMatch(/^actor .+/);
});

const more = {
  prompt: 'actor ',
  maxTokens: 1,
  temperature: 0,
  seed: 1,
  write: () => undefined,
  notice: () => undefined,
};

it('does not run for text unless that is allowed, and the refusal says which module it is', async () => {
  await expect(generate({ checkpointDir: alone.runDir, ...more })).rejects.toMatchObject({
    tag: 'CodeNotAllowed',
    exitCode: 2,
    message: expect.stringMatching(
      /^checkpoint .+step-000004\.g1: its model is code, the module .+\/mine\.ts; give --allow-code to run it, if you trust it$/,
    ) as unknown,
  });
});

it('is neither resumed nor asked for text with a module that has changed, and nothing of it is run', async () => {
  const file = join(folder.path, 'mine.ts');
  const before = readFileSync(file, 'utf8');
  const trace = join(folder.path, 'trace');
  writeFileSync(file, `import { writeFileSync } from 'node:fs';\nwriteFileSync('${trace}', '');\n${before}`);
  try {
    await expect(generate({ checkpointDir: alone.runDir, ...more, allowCode: true })).rejects.toMatchObject({
      tag: 'ResumeRefused',
      exitCode: 2,
      message: expect.stringContaining('the module at model.sublayers has changed since') as unknown,
    });
    const resumed = folder.play({ ...settings, 'training.steps': 8 }, { resume: alone.runDir });
    await expect(resumed).rejects.toMatchObject({
      tag: 'ResumeRefused',
      message: expect.stringMatching(/model\.sublayers was "[0-9a-f]{64}" and is "[0-9a-f]{64}" now/) as unknown,
    });
    expect(existsSync(trace)).toBe(false);
  } finally {
    writeFileSync(file, before);
  }
});
