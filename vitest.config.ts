import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { matchesGlob } from 'node:path';
import { defineConfig, type Plugin } from 'vitest/config';
import { keepCompiled } from './src/cli/compile_cache.ts';
import { lackedParts, machineParts, SkippedTests } from './test/machine_parts.ts';
import { SlowestFirst } from './test/slowest_first.ts';

// The many processes that tests start, and the nodes and threads of those, load the same modules: see compile_cache.ts.
keepCompiled(process.env);

/** What leaves its process as it was, for the next file. */
const plain = [
  'actors',
  'checkpoints',
  'cli',
  'data',
  'kernels',
  'models',
  'run',
  'runtime',
  'structure',
  'telemetry',
  'topology',
].map((folder) => `test/${folder}/**/*.test.ts`);

/** Of these, what opens a GPU, hides it, puts another module in a module's place, or weighs its process. */
const alone = [
  'test/actors/absent_dawn.test.ts',
  'test/actors/auto_device.test.ts',
  'test/actors/leased_rows.test.ts',
  'test/actors/**/*webgpu*',
  'test/cli/checks/gpu.test.ts',
  'test/kernels/memory.test.ts',
  'test/kernels/precision.test.ts',
  'test/kernels/webgpu/**',
  'test/run/open_device.test.ts',
  'test/runtime/transport/thread_transport.test.ts',
];

/** What takes many seconds a file: `npm run test:long`, and not `npm test`. */
const long = 'test/**/*.long.test.ts';

/** All others; by name, since what a project excludes it cannot include again. */
const whole = globSync('test/**/*.test.ts', { cwd: import.meta.dirname }).filter(
  (path) => alone.some((glob) => matchesGlob(path, glob)) || !plain.some((glob) => matchesGlob(path, glob)),
);

const lacked = await lackedParts(process.env);

/** A filter, and not `skip` in the tags, which `runIf` and `skipIf` of a test would overrule. */
const withoutLacked: Plugin = {
  name: 'without-lacked-parts',
  configureVitest: ({ project: { config } }) => {
    config.tagsFilter = [...(config.tagsFilter ?? []), ...lacked.map(({ tag }) => `!${tag}`)];
  },
};

export default defineConfig({
  plugins: [withoutLacked],
  test: {
    pool: 'forks',
    // A third of the time the slow files wait for something.
    maxWorkers: Math.ceil(1.5 * availableParallelism()),
    sequence: { sequencer: SlowestFirst },
    tags: machineParts.map(({ tag }) => ({ name: tag })),
    reporters: [new SkippedTests(lacked), 'default'],
    // Nobody's measure of speed: what hangs is ended. Nothing takes a tenth of it on two cores that do nothing else.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    projects: [
      // Each file in a process of its own.
      { extends: true, test: { name: 'whole', include: whole, exclude: [long] } },
      // One process for many files: to start it and to load the modules takes longer than most of them.
      { extends: true, test: { name: 'plain', include: plain, exclude: [...alone, long], isolate: false } },
      { extends: true, test: { name: 'long', include: [long] } },
    ],
  },
});
