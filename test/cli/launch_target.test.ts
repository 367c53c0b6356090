/** What a command line of `troupe launch` names, in all the orders that people write. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { launchTarget } from '../../src/cli/launch_target.ts';

const fresh = { file: 'a.yaml', resume: false, isOfRun: false };
const byFile = { file: 'a.yaml', runDir: 'run', resume: true, isOfRun: false };
const byRun = { file: join('run', 'config.yaml'), runDir: 'run', resume: true, isOfRun: true };

test.each([
  ['a.yaml', {}, { ...fresh, runDir: undefined }],
  ['a.yaml', { runDir: 'run' }, { ...fresh, runDir: 'run' }],
  [undefined, { resume: 'run' }, byRun],
  [undefined, { resume: true, runDir: 'run' }, byRun],
  [undefined, { resume: 'run', runDir: 'run' }, byRun],
  ['a.yaml', { resume: 'run' }, byFile],
  ['a.yaml', { resume: true, runDir: 'run' }, byFile],
  ['a.yaml', { resume: 'run', runDir: 'run' }, byFile],
  // launch --resume a.yaml --run-dir run
  [undefined, { resume: 'a.yaml', runDir: 'run' }, byFile],
] as const)('%j %j', (named, flags, target) => {
  expect(launchTarget(named, flags)).toEqual(target);
});

test.each([
  [undefined, {}, 'launch: name a topology file'],
  [undefined, { runDir: 'run' }, 'launch: name a topology file'],
  ['a.yaml', { resume: true }, '--resume needs the directory of the run to continue: --resume RUN_DIR'],
  [undefined, { resume: true }, '--resume needs the directory of the run to continue: --resume RUN_DIR'],
  ['a.yaml', { resume: 'run', runDir: 'other' }, '--resume run and --run-dir other are two directories; name one'],
] as const)('%j %j is refused', (named, flags, line) => {
  expect(() => launchTarget(named, flags)).toThrow(line);
});
