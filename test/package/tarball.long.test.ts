/** What `npm pack` makes, unpacked in an application of a user: it trains on the user's texts, and its types resolve. */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { blocksOf, isProgram, pages } from '../docs/page.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;
let app: string;
let tarballBytes: number;

function run(
  command: string,
  args: readonly string[],
  cwd: string,
): { stdout: string; stderr: string; exitCode: number | null } {
  const env = { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '' };
  const { stdout, stderr, status } = spawnSync(command, args, { cwd, encoding: 'utf8', env });
  return { stdout, stderr, exitCode: status };
}

const tsc = (...args: string[]) => run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...args], app);
const troupe = (...args: string[]) => run(process.execPath, ['node_modules/troupe/bin/troupe.js', ...args], app);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-package-'));
  const built = join(folder, 'built');
  app = join(folder, 'app');
  mkdirSync(built);
  mkdirSync(join(app, 'node_modules'), { recursive: true });
  for (const name of ['bin', 'configs', 'package.json', 'README.md', 'LICENSE'])
    cpSync(join(root, name), join(built, name), { recursive: true });
  // Types are checked by `npm run typecheck`; what is written is the same.
  const build = ['-p', join(root, 'tsconfig.build.json'), '--noCheck', '--outDir', join(built, 'dist')];
  expect(tsc(...build)).toMatchObject({ exitCode: 0 });
  expect(run('npm', ['pack', '--ignore-scripts'], built)).toMatchObject({ exitCode: 0 });
  const [tarball] = globSync('*.tgz', { cwd: built });
  tarballBytes = statSync(join(built, tarball)).size;
  run('tar', ['-xzf', join(built, tarball)], folder);
  for (const name of readdirSync(join(root, 'node_modules')))
    symlinkSync(join(root, 'node_modules', name), join(app, 'node_modules', name));
  renameSync(join(folder, 'package'), join(app, 'node_modules', 'troupe'));
  mkdirSync(join(app, 'texts'));
  writeFileSync(join(app, 'texts', 'a.txt'), 'to be or not to be, that is the question. '.repeat(2000));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('it is small, and holds no source map and no import of a source file', () => {
  expect(tarballBytes).toBeLessThan(2 * 2 ** 20);
  const dist = join(app, 'node_modules/troupe/dist');
  const files = globSync('**/*.{js,map}', { cwd: dist });
  expect(files.length).toBeGreaterThan(100);
  const bad = files.filter(
    (file) =>
      file.endsWith('.map') ||
      /(sourceMappingURL|import\(?\s*['"][^'"]*\.ts['"])/.test(readFileSync(join(dist, file), 'utf8')),
  );
  expect(bad).toEqual([]);
});

test(
  'it trains on the texts of a user, on threads and on nodes, and continues a prompt',
  { tags: ['nats-server'] },
  () => {
    expect(troupe('init')).toMatchObject({ stderr: '', exitCode: 0 });
    const small = [
      '--set',
      'model.hidden_size=32',
      '--set',
      'model.intermediate_size=64',
      '--set',
      'model.num_attention_heads=2',
    ];
    const short = [
      '--set',
      'training.sequence_length=32',
      '--set',
      'optimizer.warmup_steps=1',
      '--steps',
      '2',
      '--quiet',
    ];
    const train = (...args: string[]) => troupe('launch', 'troupe.yaml', ...small, ...short, ...args);
    expect(train('--run-dir', 'one', '--set', 'cluster.nats.url=none')).toMatchObject({ stderr: '', exitCode: 0 });
    expect(train('--run-dir', 'two', '--set', 'cluster.nodes=2')).toMatchObject({ stderr: '', exitCode: 0 });
    const losses = ['one', 'two'].map((dir) =>
      readFileSync(join(app, dir, 'metrics.jsonl'), 'utf8').match(/"step":\d+,"loss":[\d.]+/g),
    );
    expect(losses[0]).toHaveLength(2);
    expect(losses[1]).toEqual(losses[0]);
    const generated = troupe('generate', '--checkpoint', 'one', '--prompt', 'to be', '--max-tokens', '5');
    expect(generated).toMatchObject({ stderr: '', exitCode: 0 });
  },
);

describe('in a strict project', () => {
  const use = `
    import { createLocalSystem, defineTopology, launch, type FeedForward, type StepMetrics, type Topology } from 'troupe';
    export const topology: Topology = defineTopology({ name: 'mine', training: { steps: 3 } });
    export const steps: number = topology.training.steps;
    export const gen: number = createLocalSystem().gen;
    export const lossOf = ({ loss }: StepMetrics): number => loss;
    // @ts-expect-error: it is a number, and a package without types would let this pass.
    export const wrong: string = topology.training.steps;
    // What of Node.js its types need, they bring.
    export const folder: string = import.meta.dirname;
    export const identity: FeedForward = { weights: () => ({}), apply: (h_RD) => h_RD };
    void launch;`;
  const wrong = "import { defineTopology } from 'troupe';\ndefineTopology({ modle: {} });\n";
  const programs = pages.flatMap((page) => blocksOf(page).filter(isProgram));
  let complaints: string[];
  beforeAll(() => {
    const files = new Map([
      ['use.mts', use],
      ['wrong.mts', wrong],
    ]);
    for (const { page, line, text } of programs)
      files.set(
        `${page.replaceAll('/', '_')}_${line}.mts`,
        `${text.replace("'./src/index.ts'", "'troupe'")}\nexport {};\n`,
      );
    for (const [name, text] of files) writeFileSync(join(app, name), text);
    // All declarations are checked, but for those of the language, which are TypeScript's own.
    const strict = ['--noEmit', '--strict', '--skipDefaultLibCheck', '--module', 'nodenext', '--target', 'esnext'];
    const { stdout, stderr } = tsc(...strict, ...files.keys());
    expect(stderr).toBe('');
    complaints = stdout.trimEnd().split('\n');
  });

  test('its types resolve and are checked, and the programs of the documentation have them', () => {
    expect(programs.length).toBeGreaterThan(2);
    expect(complaints.filter((line) => !line.startsWith('wrong.mts(2,18): error TS'))).toEqual([]);
  });

  test('a key that there is not is an error', () => {
    expect(complaints).toContainEqual(expect.stringContaining("'modle' does not exist in type"));
  });
});

test('the actor example runs on it', () => {
  cpSync(join(root, 'examples/word_count.ts'), join(app, 'word_count.ts'));
  expect(run(process.execPath, ['word_count.ts'], app)).toMatchObject({
    stdout: expect.stringMatching(/^21 words in 3 texts, 1 refused$/m) as unknown,
    exitCode: 0,
  });
});

test('a CommonJS module requires what a module imports', () => {
  const compare = `import('troupe').then((imported) => {
    const required = require('troupe');
    const names = Object.keys(imported).filter((name) => name !== 'module.exports');
    console.log(names.length > 50, names.filter((name) => required[name] !== imported[name]));
  });`;
  writeFileSync(join(app, 'both.cjs'), compare);
  expect(run(process.execPath, ['both.cjs'], app)).toEqual({ stdout: 'true []\n', stderr: '', exitCode: 0 });
});

/** A Node that is too old, if there is one here. */
const oldNode = (process.env.PATH ?? '')
  .split(delimiter)
  .map((path) => join(path, 'node'))
  .find((node) => {
    const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' });
    return typeof stdout === 'string' && /^v(1\d|2[0-3])\./.test(stdout);
  });

test.skipIf(oldNode === undefined).each([
  ['imports', 'old.mjs', "import { launch } from 'troupe';\nlaunch;\n"],
  ['requires', 'old.cjs', "require('troupe');\n"],
])('an application that %s it on an older Node gets that line, too', (_how, file, text) => {
  writeFileSync(join(app, file), text);
  const { stdout, stderr, exitCode } = run(oldNode ?? '', [file], app);
  expect([stdout, exitCode]).toEqual(['', 1]);
  expect(stderr).toMatch(
    /^Error: troupe needs Node 24 or newer; this is Node \d+\.\d+\.\d+\. Install Node 24, try again\.$/m,
  );
});

test.skipIf(oldNode === undefined)('on an older Node it says so in one line and ends with 2', () => {
  const { stdout, stderr, exitCode } = run(oldNode ?? '', ['node_modules/troupe/bin/troupe.js', '--version'], app);
  expect([stdout, exitCode]).toEqual(['', 2]);
  expect(stderr).toMatch(
    /^troupe needs Node 24 or newer; this is Node \d+\.\d+\.\d+\. Install Node 24, try again\.\n$/,
  );
});
