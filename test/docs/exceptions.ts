/**
 * Where the test does not do what a page says, letter by letter: commands that it does not run, runs that it makes
 * short, and what a reader does besides typing. An entry that no page has any more fails the test.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './page.ts';

/** What is looked at instead of running a command: an error in words, or null. */
type Check = () => string | null;

const scripts = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> })
  .scripts;
const isScript =
  (name: string): Check =>
  () =>
    name in scripts ? null : `package.json has no script ${name}`;
const isThere =
  (path: string): Check =>
  () =>
    existsSync(join(root, path)) ? null : `there is no ${path}`;

interface NotRun {
  readonly why: string;
  readonly instead: Check;
}

const wholeSuite = 'it runs all tests, this one too';
const ownJob = 'it has the sources of the whole repository to read; CI runs it';

/** Commands that are not run. All are parsed by bash besides. */
export const notRun: Readonly<Record<string, NotRun>> = {
  'npm install && npm test': { why: wholeSuite, instead: isScript('test') },
  './.ci/run': { why: wholeSuite, instead: isThere('.ci/run') },
  'npm test': { why: wholeSuite, instead: isScript('test') },
  'npm run test:long': { why: wholeSuite, instead: isScript('test:long') },
  'npx vitest run test/kernels': { why: 'it is a part of the whole suite', instead: isThere('test/kernels') },
  'npm run typecheck': { why: ownJob, instead: isScript('typecheck') },
  'npm run lint': { why: ownJob, instead: isScript('lint') },
  'npm run format': { why: ownJob, instead: isScript('format') },
  'npm run build': { why: 'test/package runs the same compiler', instead: isScript('build') },
  'node_modules/.bin/node --conditions=troupe-source examples/custom_block.ts': {
    why: 'test/examples runs it',
    instead: isThere('test/examples/custom_block.test.ts'),
  },
  'npm run replay -- REV': { why: 'REV stands for a revision', instead: isScript('replay') },
  'npm run bench -- step': { why: 'it takes minutes', instead: isThere('bench/step.bench.ts') },
};

const options = (...keys: string[]): string => keys.map((key) => `--set ${key}`).join(' ');

/** Makes a step of any model small. */
const smallStep = options(
  'model.hidden_size=32',
  'model.intermediate_size=32',
  'model.num_hidden_layers=2',
  'model.num_attention_heads=2',
  'training.sequence_length=16',
  'training.global_batch_size=4',
  'training.eval_sequences=4',
);

/** And a run of it. */
const small = `${smallStep} ${options(
  'training.steps=15',
  'training.eval_interval=5',
  'optimizer.warmup_steps=1',
  'checkpoint.interval=2',
  'checkpoint.keep=99',
)}`;

/** Enough where a page does not speak of two. */
const oneProcess = '--set cluster.nats.url=none';

/** Replacements in commands and written files of a page, in this order. `npm install` would need a registry. */
export const shortened: Readonly<Record<string, readonly (readonly [from: string, to: string])[]>> = {
  'CONTRIBUTING.md': [
    ['npm run bench', '! npm run bench'], // It says how it is used, and ends with 2.
  ],
  'README.md': [
    ['npm install && npm start', `npm start -- ${small}`],
    ['npm run start:nodes', `npm run start:nodes -- ${small}`],
    ['npx troupe launch mine.yaml', `npx troupe launch mine.yaml ${small} ${oneProcess}`],
  ],
  'docs/concepts/kernels.md': [['configs/quickstart.yaml', `configs/quickstart.yaml ${smallStep}`]],
  'docs/how-to/library.md': [
    [
      'training: { steps: 300 }',
      "cluster: { nats: { url: 'none' } }, model: { hidden_size: 32, intermediate_size: 32, num_attention_heads: 2 }, " +
        'training: { steps: 4, sequence_length: 16, global_batch_size: 4 }, optimizer: { warmup_steps: 1 }',
    ],
  ],
  'docs/how-to/rows.md': [
    ['launch base.yaml', `launch base.yaml ${small} ${oneProcess}`],
    ['launch chat.yaml', `launch chat.yaml ${small} --set training.sequence_length=64 ${oneProcess}`],
    ['step-000250', 'step-000015'],
  ],
  'docs/tutorial.md': [
    ['launch ../my-run/mine.yaml', `launch ../my-run/mine.yaml ${small} ${oneProcess}`],
    ['--set cluster.nodes=2', '--set cluster.nodes=2 --set cluster.nats.url=auto'],
    ['--steps 200', '--steps 20'],
    ['step-000150', 'step-000015'],
  ],
  'docs/how-to/several-machines.md': [
    ['launch mine.yaml', `launch mine.yaml ${small} ${oneProcess}`],
    ['--steps 500', '--steps 20'],
  ],
  'docs/how-to/external-nats.md': [
    ['launch mine.yaml', `launch mine.yaml ${small}`],
    ['"/var/lib/nats"', '"nats"'],
  ],
};

/**
 * To find the command takes npm longer than the command takes to start: it does so for the README, and other pages run
 * what it finds.
 */
export const foundByNpm = { page: 'README.md', command: 'npx troupe', elsewhere: 'node bin/troupe.js' };

/** What is typed into a command. */
export const typed: Readonly<Record<string, string>> = {
  'cat > nats.token': 'the token\n',
};

/** Commands that the reader interrupts by Ctrl-C: they end with 130. */
export const interrupted: readonly string[] = ['npx troupe launch ../my-run/mine.yaml --run-dir ../my-run/second'];

/** Commands that do not end by themselves, and what they print when they are ready. They run until the page ends. */
export const services: Readonly<Record<string, RegExp>> = {
  'nats-server -c nats.conf': /Server is ready/,
};
