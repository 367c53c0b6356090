/**
 * Command lines that cannot be carried out, and places that cannot be used: one line, an exit code, and nothing is written
 * or changed.
 */
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { at, folder, main, prepareFolder } from '../training.ts';
import { plainly, refusalHere, refusalOf } from './refusal.ts';

const help = '(troupe --help lists what there is)';
const config = 'for example configs/quickstart.yaml';
const allow = 'give --allow-code to run it, if you trust it';
const long = 'x'.repeat(300);

beforeAll(() => {
  prepareFolder();
  mkdirSync(at('run'));
  writeFileSync(at('run', 'config.yaml'), 'name: tiny\n');
  writeFileSync(at('run', 'metrics.jsonl'), '{"step":1}\n');
  mkdirSync(at('coded'));
  writeFileSync(at('coded', 'config.yaml'), 'model: { sublayers: ../mine.ts }\n');
  mkdirSync(at('busy'));
  writeFileSync(at('busy', 'config.yaml'), 'name: tiny\n');
  writeFileSync(at('busy', 'lock'), `${process.ppid}\n`);
  mkdirSync(at('closed'));
  writeFileSync(at('closed', 'secret.yaml'), 'name: secret\n');
  chmodSync(at('closed', 'secret.yaml'), 0);
  mkdirSync(at('dark', 'inner'), { recursive: true });
  chmodSync(at('dark'), 0);
  chmodSync(at('closed'), 0o555);
});
afterAll(() => {
  for (const name of ['closed', 'dark']) chmodSync(at(name), 0o755);
  rmSync(folder, { recursive: true, force: true });
});

describe('a command line is refused with 2 and one line', () => {
  test.each([
    ['lunch', [], `unknown command 'lunch' (Did you mean launch?) ${help}`],
    ['--trace', [], `unknown option '--trace' ${help}`],
    ['launch', [], `launch: name a topology file, ${config}, or a run to go on with: --resume RUN_DIR`],
    ['launch', [''], `command-argument value '' is invalid for argument 'FILE.yaml'. Allowed: a path. ${help}`],
    [
      'launch',
      ['a.yaml', 'b.yaml'],
      `too many arguments for 'launch'. Expected 1 argument but got 2: a.yaml, b.yaml. ${help}`,
    ],
    ['launch', ['tiny.yaml', '--stpes', '3'], `unknown option '--stpes' (Did you mean --steps?) ${help}`],
    ['launch', ['tiny.yaml', '--run-dir'], `option '--run-dir <DIR>' argument missing ${help}`],
    [
      'launch',
      ['tiny.yaml', '--run-dir', ''],
      `option '--run-dir <DIR>' argument '' is invalid. Allowed: a path. ${help}`,
    ],
    ['launch', ['tiny.yaml', '--resume'], '--resume needs the directory of the run to continue: --resume RUN_DIR'],
    [
      'launch',
      ['--resume', 'nowhere'],
      'run directory nowhere: holds no run to resume; name the directory of one, or leave out --resume',
    ],
    ['launch', ['--resume', 'coded'], `run directory coded: its model is code, the module DIR/mine.ts; ${allow}`],
    ['plan', ['none.yaml'], `none.yaml: no such file; give a topology file, ${config}`],
    ['generate', ['--prompt', 'x'], `required option '--checkpoint <DIR>' not specified ${help}`],
    ['generate', ['--checkpoint', 'x'], `required option '--prompt <TEXT>' not specified ${help}`],
    [
      'generate',
      ['--checkpoint', 'x', '--prompt', 'x', '--max-tokens', '0'],
      `option '--max-tokens <N>' argument '0' is invalid. Allowed: a whole number, 1 or more. ${help}`,
    ],
    [
      'generate',
      ['--checkpoint', 'x', '--prompt', 'x', '--temperature', '-1'],
      `option '--temperature <T>' argument '-1' is invalid. Allowed: a number, 0 or more. ${help}`,
    ],
    [
      'generate',
      ['--checkpoint', 'x', '--prompt', 'x', '--seed', '1.5'],
      `option '--seed <S>' argument '1.5' is invalid. Allowed: a whole number, 0 or more. ${help}`,
    ],
    ['init', ['tiny.yaml'], 'tiny.yaml: exists already; name another file: troupe init other.yaml'],
    [
      'init',
      ['none/mine.yaml'],
      'none/mine.yaml: its folder does not exist; name another file: troupe init other.yaml',
    ],
    [
      'init',
      ['mine.yaml', '--name', 'my: run'],
      '--name my: run: name: found "my: run", allowed: letters, digits, ".", "_" and "-", beginning with a letter or a digit',
    ],
    ['doctor', ['now'], `too many arguments for 'doctor'. Expected 0 arguments but got 1: now. ${help}`],
    ['completion', ['csh'], 'completion: found csh, allowed: bash, zsh, fish'],
  ])('%s %j', async (verb, args, line) => {
    expect(await refusalHere([verb, ...args])).toEqual(plainly(`troupe: ${line}`, 2));
  });

  test.each([
    [['lunch']],
    [['launch']],
    [['launch', '--resume', 'coded']],
    [['launch', 'tiny.yaml', '--run-dir', 'letters']],
    [['plan', 'none.yaml']],
    [['generate', '--checkpoint', 'x', '--prompt', 'x', '--seed', '1.5']],
    [['init', 'tiny.yaml']],
    [['doctor', 'now']],
    [['completion', 'csh']],
  ])('in a process of its own too: %j', async (args) => {
    const inProcess = refusalOf(args);
    expect(inProcess).toEqual({ ...plainly('', 2), lines: [expect.stringMatching(/^troupe: /)] });
    expect(inProcess).toEqual(await refusalHere(args));
  });
});

describe('a run directory is refused with 2 and one line, by a dry run too', () => {
  const another = 'give another one to --run-dir';

  test.each([
    ['a file', 'tiny.yaml', [], 'is a file; give a directory to --run-dir'],
    ['below a file', 'tiny.yaml/run', [], 'is below a file; give a directory to --run-dir'],
    ['no name', long, [], `cannot be read (ENAMETOOLONG); ${another}`],
    ['of others', 'letters', [], 'holds files that are no run; give an empty or a new directory to --run-dir'],
    ['of another run', 'run', [], 'holds a run already; continue it with --resume, or give another --run-dir'],
    [
      'without a run to resume',
      'letters',
      ['--resume'],
      'holds no run to resume; name the directory of one, or leave out --resume',
    ],
    [
      'in use',
      'busy',
      ['--resume'],
      `is in use by process ${process.ppid} (busy/lock); wait for it, stop it, or give another --run-dir`,
    ],
  ])('%s', async (_what, directory, more, reason) => {
    const line = `troupe: run directory ${directory}: ${reason}`;
    const mode = directory === 'letters' ? [] : ['--dry-run'];
    const args = ['launch', 'tiny.yaml', '--run-dir', directory, ...more, ...mode];
    expect(await refusalHere(args)).toEqual(plainly(line, 2));
  });
});

/** The command of one who may not write everywhere: root gives up the right to. */
const ordinary = [
  ...(process.geteuid?.() === 0 ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search'] : []),
  process.execPath,
];
const isOrdinary = spawnSync(ordinary[0], [...ordinary.slice(1), '--version']).status === 0;

describe.skipIf(!isOrdinary)('what one may not touch is refused with one line', () => {
  const open = 'start a new run or name another directory';

  test.each([
    [
      ['launch', 'tiny.yaml', '--run-dir', 'closed/run'],
      2,
      'run directory closed/run: cannot be made (EACCES); give another one to --run-dir',
    ],
    [
      ['launch', 'tiny.yaml', '--run-dir', 'dark', '--dry-run'],
      2,
      'run directory dark: cannot be read (EACCES); give another one to --run-dir',
    ],
    [
      ['launch', 'closed/secret.yaml'],
      2,
      `closed/secret.yaml: cannot be read (EACCES); give a topology file, ${config}`,
    ],
    [
      ['init', 'closed/mine.yaml'],
      2,
      'closed/mine.yaml: cannot be written (EACCES); name another file: troupe init other.yaml',
    ],
    [
      ['generate', '--prompt', 'x', '--checkpoint', 'dark/inner'],
      1,
      "checkpoint DIR/dark/inner: EACCES: permission denied, stat 'dark/inner'; give permission there",
    ],
    [
      ['generate', '--prompt', 'x', '--checkpoint', 'closed'],
      2,
      `no checkpoint to open in DIR/closed: it holds none; ${open}`,
    ],
  ])('%j', (args, exitCode, line) => {
    const [program, ...first] = ordinary;
    const command = [program, ...first, main];
    expect(refusalOf(args, command)).toEqual(plainly(`troupe: ${line}`, exitCode));
  });
});

test('a run that does not fit is refused with 1 and the verdict of plan', () => {
  const small = ['--set', 'cluster.memory_per_worker=1MiB'];
  const { lines, ...rest } = refusalOf(['launch', 'tiny.yaml', '--run-dir', 'new', ...small]);
  expect(lines).toEqual([
    expect.stringMatching(
      /^troupe: does not fit on 1 of 1 worker: node-0\.worker-0 asks for \d\.\d\d MiB of a budget of 1\.00 MiB; raise cluster\.memory_per_worker, .+/,
    ),
  ]);
  expect(rest).toEqual({ exitCode: 1, changed: [], made: [] });
});
