/** Training from the command line, end to end: what a run leaves behind, how it goes on, and what it writes. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  at,
  checkpointsOf,
  contentsOf,
  copyOf,
  curveOf,
  damage,
  folder,
  launch,
  manifestOf,
  prepareFolder,
  troupe,
  type Ended,
} from './training.ts';

const interrupting = new URL('./interrupt_at_checkpoint.ts', import.meta.url).href;
const interruptingTwice = new URL('./interrupt_twice.ts', import.meta.url).href;
const interruptingPacking = new URL('./interrupt_at_packing.ts', import.meta.url).href;
const interruptingAtOnce = new URL('./interrupt_at_once.ts', import.meta.url).href;

let whole: Ended;
beforeAll(() => {
  prepareFolder();
  whole = launch('whole');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a run', () => {
  test('ends with 0 and says what it came to', () => {
    expect(whole).toMatchObject({ exitCode: 0, stderr: '' });
    expect(whole.stdout).toMatch(
      /\ndone: step 12 after .+; held-out loss \d\.\d{3} nats a token, where an order-1 model has \d\.\d{3}\n/,
    );
  });

  test('leaves its config, a line of metrics a step, its events and its checkpoints', () => {
    expect(readdirSync(at('whole')).sort()).toEqual([
      'checkpoints',
      'config.yaml',
      'decisions.jsonl',
      'events.jsonl',
      'metrics.jsonl',
    ]);
    expect(readFileSync(at('whole', 'config.yaml'), 'utf8')).toContain('name: tiny\n');
    const curve = curveOf('whole');
    expect(curve.map((line) => 'step' in line && line.step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(curve.flatMap((line) => ('eval_loss' in line && 'step' in line ? [line.step] : []))).toEqual([4, 8, 12]);
    expect(checkpointsOf('whole')).toEqual(
      [0, 2, 4, 6, 8, 10, 12].map((step) => `step-${String(step).padStart(6, '0')}.g1`),
    );
    expect(manifestOf('whole', 'step-000012.g1')).toMatchObject({ step: 12, updateStep: 12 });
  });

  test('warns of workers that have nothing to do, before it begins', () => {
    const { stdout, stderr, exitCode } = launch('idle', '--set', 'cluster.workers_per_node=5', '--steps', '2');
    expect([stderr, exitCode]).toEqual(['', 0]);
    expect(stdout).toMatch(/^1 of 5 workers has nothing to do; raise parallelism\.data_parallel \(2\) or .+\n/);
    expect(curveOf('idle').map(({ loss }) => loss)).toEqual(
      curveOf('whole')
        .slice(0, 2)
        .map(({ loss }) => loss),
    );
  });

  test('is not trained over: its directory is refused without --resume, and nothing is changed', () => {
    const before = contentsOf(at('whole'));
    expect(launch('whole')).toEqual({
      exitCode: 2,
      stdout: '',
      stderr:
        'troupe: run directory whole: holds a run already; continue it with --resume, or give another --run-dir\n',
    });
    expect(contentsOf(at('whole'))).toEqual(before);
  });
});

test.each(['SIGINT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2'])(
  '%s before anything is begun ends with 130 and one line',
  (signal) => {
    const cut = troupe(['launch', 'tiny.yaml', '--run-dir', 'early'], ['--import', `${interruptingAtOnce}?${signal}`]);
    expect(cut).toEqual({ exitCode: 130, stdout: '', stderr: 'troupe: interrupted before anything was begun\n' });
    expect(existsSync(at('early'))).toBe(false);
  },
);

test('Ctrl-C while a dry run reads texts is left to the system, since threads cannot be ended by an exit', () => {
  const cut = troupe(['launch', 'tiny.yaml', '--dry-run'], ['--import', interruptingPacking]);
  // It dies of the signal: no exit code, and no word.
  expect(cut).toEqual({ exitCode: null, stdout: '', stderr: '' });
});

describe('a resumed run', () => {
  test('that died after its last checkpoint draws the curve of the undisturbed one', () => {
    const died = copyOf('whole', 'died', 2, 4);
    const resumed = launch(died, '--resume');
    expect(resumed).toMatchObject({ exitCode: 0, stderr: '' });
    expect(resumed.stdout.match(/^resumed .*$/gm)).toEqual(['resumed from step 4 of died/checkpoints/step-000004.g1']);
    expect(whole.stdout).not.toContain('resumed');
    expect(curveOf(died)).toEqual(curveOf('whole'));
    expect(checkpointsOf(died)).toEqual([
      'step-000002.g1',
      'step-000004.g1',
      'step-000006.g2',
      'step-000008.g2',
      'step-000010.g2',
      'step-000012.g2',
    ]);
    const [expected, manifest] = [manifestOf('whole', 'step-000012.g1'), manifestOf(died, 'step-000012.g2')];
    expect(manifest.extra.params_digest).toBe(expected.extra.params_digest);
    expect(manifest.runId).toBe(expected.runId);
  });

  test('that was interrupted by Ctrl-C had written a checkpoint, and draws that curve too', () => {
    const begun = ['launch', 'tiny.yaml', '--run-dir', 'cut', '--set', 'checkpoint.keep=8'];
    const cut = troupe(begun, ['--import', interrupting]);
    expect(cut).toMatchObject({ exitCode: 130, stderr: '' });
    const [, step] = /\ninterrupted at step (\d+) after /.exec(cut.stdout) ?? [];
    expect(Number(step)).toBeGreaterThanOrEqual(2);
    expect(Number(step)).toBeLessThan(12);
    expect(checkpointsOf('cut').at(-1)).toBe(`step-${step.padStart(6, '0')}.g1`);
    expect(cut.stdout).toContain('\ncontinue with: npx troupe launch --resume cut\n');
    expect(curveOf('cut')).toEqual(curveOf('whole').slice(0, Number(step)));

    // Nothing but the directory is needed, with whatever options the run was begun.
    expect(troupe(['launch', '--resume', 'cut'])).toMatchObject({ exitCode: 0, stderr: '' });
    expect(curveOf('cut')).toEqual(curveOf('whole'));
    expect(manifestOf('cut', 'step-000012.g2').extra.params_digest).toBe(
      manifestOf('whole', 'step-000012.g1').extra.params_digest,
    );
  });

  test('that a second Ctrl-C ended at once had said so beforehand, and says how to go on', () => {
    const cut = troupe(['launch', 'tiny.yaml', '--run-dir', 'twice'], ['--import', interruptingTwice]);
    // It dies of the signal, which a shell has no word for.
    expect(cut.exitCode).toBeNull();
    expect(cut.stdout).toContain(
      '\ninterrupted: writing a checkpoint ... (a second Ctrl-C ends the run at once, without one)\n',
    );
    expect(cut.stderr).toBe(
      'troupe: ended at once, without the checkpoint\ncontinue with: npx troupe launch --resume twice\n',
    );
    expect(launch('twice', '--resume')).toMatchObject({ exitCode: 0, stderr: '' });
    expect(curveOf('twice')).toEqual(curveOf('whole'));
  });

  test('that was interrupted before it was ready says how to go on with the file that counted', () => {
    const died = copyOf('whole', 'unready', 4);
    const before = readFileSync(at(died, 'config.yaml'), 'utf8');
    const cut = troupe(['launch', 'tiny.yaml', '--resume', died, '--steps', '14'], ['--import', interruptingPacking]);
    expect(cut).toMatchObject({ exitCode: 130, stderr: '' });
    expect(cut.stdout).toMatch(/\ncontinue with: npx troupe launch tiny\.yaml --resume unready --steps 14\n$/);
    expect(readFileSync(at(died, 'config.yaml'), 'utf8')).toBe(before);
  });

  test('whose checkpoints are gone is refused, and its curve stays', () => {
    const bare = copyOf('whole', 'bare');
    const before = curveOf(bare);
    expect(launch(bare, '--resume')).toMatchObject({
      exitCode: 1,
      stderr:
        'troupe: no checkpoint to open in bare/checkpoints: it holds none; start a new run or name another directory\n',
    });
    expect(curveOf(bare)).toEqual(before);
  });

  test('that was done already says so', () => {
    const done = copyOf('whole', 'done', 12);
    const again = launch(done, '--resume');
    expect(again).toMatchObject({ exitCode: 0, stderr: '' });
    expect(again.stdout).toContain('step 12 is the last already; to go on, give --steps more than 12\n');
    expect(curveOf(done)).toEqual(curveOf('whole'));
  });

  test('leaves out a damaged checkpoint with a notice, and goes on from the one before it', () => {
    const damaged = copyOf('whole', 'damaged', 8, 10);
    damage(damaged, 'step-000010.g1');
    const ended = launch(damaged, '--resume');
    expect(ended).toMatchObject({ exitCode: 0, stderr: '' });
    expect(ended.stdout).toMatch(
      /^damaged checkpoint: .*step-000010\.g1.*run-stage-p0-d0\.safetensors: its content is not what its manifest says; /m,
    );
    expect(curveOf(damaged)).toEqual(curveOf('whole'));
    expect(manifestOf(damaged, 'step-000012.g2').extra.params_digest).toBe(
      manifestOf('whole', 'step-000012.g1').extra.params_digest,
    );
  });
});

describe('generate', () => {
  const generate = (checkpoint: string, ...more: string[]): Ended =>
    troupe(['generate', '--checkpoint', checkpoint, '--prompt', 'line 7', '--max-tokens', '12', ...more]);

  test('continues the prompt, the same from a run as from its newest checkpoint, and otherwise with another seed', () => {
    const first = generate('whole');
    expect(first).toMatchObject({ exitCode: 0, stderr: '' });
    expect(first.stdout).toMatch(/^line 7[^]+\n$/);
    expect(generate('whole/checkpoints/step-000012.g1')).toEqual(first);
    expect(generate('whole', '--seed', '2').stdout).not.toBe(first.stdout);
  });
});
