/** A module of sublayers is looked at once before a launch; what it is by then is all that ever runs. */
import { appendFileSync, copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkFits } from '../../src/cli/preflight.ts';
import { sublayersDigest } from '../../src/models/load_sublayers.ts';
import { defineTopology } from '../../src/topology/index.ts';
import { refusalOf } from './refusals/refusal.ts';
import { at, folder, prepareFolder } from './training.ts';

const swiglu = fileURLToPath(new URL('../../examples/swiglu.ts', import.meta.url));
const changed = 'was changed while the run began; start it again';

beforeAll(prepareFolder);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a module that was changed after the first look is not run for the plan', async () => {
  const topology = defineTopology({ model: { sublayers: 'mine.ts' } });
  copyFileSync(swiglu, at('mine.ts'));
  const digest = sublayersDigest(topology, folder);
  appendFileSync(at('mine.ts'), "\nthrow new Error('it was run');\n");
  await expect(checkFits(topology, folder, digest)).rejects.toThrow(`model.sublayers ${at('mine.ts')}: ${changed}`);
});

test('a module that changes between the plan and the run ends the launch', () => {
  copyFileSync(swiglu, at('swiglu.ts'));
  writeFileSync(
    at('fickle.ts'),
    "import { appendFileSync } from 'node:fs';\nimport { fileURLToPath } from 'node:url';\n" +
      "export { feedForward } from './swiglu.ts';\nappendFileSync(fileURLToPath(import.meta.url), '// run\\n');\n",
  );
  const { lines, exitCode } = refusalOf([
    'launch',
    'tiny.yaml',
    '--set',
    'model.sublayers=fickle.ts',
    '--run-dir',
    'new',
  ]);
  expect({ lines, exitCode }).toEqual({ lines: [`troupe: model.sublayers DIR/fickle.ts: ${changed}`], exitCode: 2 });
});
