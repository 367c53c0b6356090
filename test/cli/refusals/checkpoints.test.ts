/**
 * Runs and checkpoints that cannot be gone on from: one line, and every checkpoint and log as it was. Whatever was
 * damaged, what lies beside it stays.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { at, contentsOf, copyOf, damage, folder, launch, prepareFolder, text, troupe } from '../training.ts';
import { plainly, refusalHere, refusalOf } from './refusal.ts';

const newer = 'step-000004.g1';
const older = 'step-000002.g1';
const shard = 'run-stage-p0-d0.safetensors';

beforeAll(() => {
  prepareFolder();
  launch('whole', '--steps', '4');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A copy of the run with these checkpoints, and something done to it. */
function spoilt(name: string, spoil: (name: string) => void, ...steps: number[]): string {
  spoil(copyOf('whole', name, ...steps));
  return name;
}

const inCheckpoint = (name: string, file: string): string => at(name, 'checkpoints', newer, file);

describe('generate', () => {
  const generate = (checkpoint: string): string[] => [
    'generate',
    '--checkpoint',
    checkpoint,
    '--prompt',
    'x',
    '--max-tokens',
    '1',
  ];

  test('says that it passes over a damaged checkpoint, and which one it uses instead', () => {
    const name = spoilt('passed', (run) => damage(run, newer), 2, 4);
    expect(refusalOf(generate(name))).toEqual(
      plainly(
        `troupe: damaged checkpoint: DIR/passed/checkpoints/${newer}/${shard}: its content is not what its manifest says; ` +
          `remove that checkpoint to use the one before it; using DIR/passed/checkpoints/${older} instead`,
        0,
      ),
    );
  });

  test.each([
    [
      'a manifest of another version',
      (name: string) => writeFileSync(inCheckpoint(name, 'manifest.json'), '{"version":9}'),
      `damaged checkpoint: DIR/spoilt/checkpoints/${newer}/manifest.json: its version is 9, known are 1 and 2; remove that folder to use an earlier checkpoint`,
    ],
    [
      'a shard that is missing',
      (name: string) => rmSync(inCheckpoint(name, shard)),
      `damaged checkpoint: DIR/spoilt/checkpoints/${newer}/${shard}: it is missing; remove that checkpoint to use the one before it`,
    ],
    [
      'a shard that is cut short',
      (name: string) => writeFileSync(inCheckpoint(name, shard), 'short'),
      new RegExp(
        `^troupe: damaged checkpoint: DIR/spoilt/checkpoints/${newer}/${shard}: it has 5 bytes, its manifest says \\d+; remove that checkpoint to use the one before it$`,
      ),
    ],
    [
      'no manifest',
      (name: string) => rmSync(inCheckpoint(name, 'manifest.json')),
      `no checkpoint to open in DIR/spoilt/checkpoints/${newer}: it holds none; start a new run or name another directory`,
    ],
  ])('refuses a checkpoint with %s', async (what, spoil, line) => {
    spoilt('spoilt', spoil, 2, 4);
    const { lines, ...rest } = await refusalHere(generate(`spoilt/checkpoints/${newer}`));
    expect(lines).toEqual([typeof line === 'string' ? `troupe: ${line}` : expect.stringMatching(line)]);
    expect(rest).toEqual({ exitCode: what === 'no manifest' ? 2 : 1, changed: [], made: [] });
    rmSync(at('spoilt'), { recursive: true });
  });

  test.each([
    ['letters', 'it holds none'],
    ['nowhere', 'there is no such folder'],
    ['tiny.yaml', 'it is no folder'],
  ])('refuses what holds no checkpoint: %s', async (name, reason) => {
    const line = `troupe: no checkpoint to open in DIR/${name}: ${reason}; start a new run or name another directory`;
    expect(await refusalHere(generate(name))).toEqual(plainly(line, 2));
  });

  test('refuses them in a process of its own too', () => {
    const name = spoilt('short', (run) => writeFileSync(inCheckpoint(run, shard), 'short'), 4);
    for (const [checkpoint, exitCode] of [
      [name, 1],
      ['letters', 2],
    ] as const)
      expect(refusalOf(generate(checkpoint))).toEqual({
        ...plainly('', exitCode),
        lines: [expect.stringMatching(/^troupe: .+; (start a new run|remove that checkpoint) /)],
      });
  });
});

describe('a resume', () => {
  const tail = 'start a new run or name another directory';

  test.each([
    [
      'of which every checkpoint is damaged',
      (name: string) => [older, newer].forEach((checkpoint) => damage(name, checkpoint)),
      [],
      1,
      `no checkpoint to open in spoilt/checkpoints: all are refused: damaged checkpoint: spoilt/checkpoints/${newer}/${shard}: its content is not what its manifest says; remove that checkpoint to use the one before it (and 1 more); ${tail}`,
    ],
    [
      'with another model',
      () => undefined,
      ['--set', 'moe.num_experts=4'],
      2,
      `checkpoint spoilt/checkpoints/${newer}: moe.num_experts was 2 and is 4 now; resume with what the run began with`,
    ],
    [
      'to fewer steps than are done',
      () => undefined,
      ['--steps', '3'],
      2,
      `checkpoint spoilt/checkpoints/${newer}: step 4 is done, and training.steps is 3; to go on, give --steps more than 4`,
    ],
    [
      'with damaged decisions',
      (name: string) => writeFileSync(at(name, 'decisions.jsonl'), 'Dear reader\n'),
      [],
      1,
      'spoilt/decisions.jsonl:1: not a decision; restore the file, or start a new run directory',
    ],
    [
      'with a folder for the pointer',
      (name: string) => {
        rmSync(at(name, 'checkpoints', 'latest.json'), { force: true });
        mkdirSync(at(name, 'checkpoints', 'latest.json'));
      },
      [],
      1,
      'damaged checkpoint: spoilt/checkpoints/latest.json: it is a folder; remove it, the newest checkpoint is used then',
    ],
    [
      'with damaged metrics',
      (name: string) => writeFileSync(at(name, 'metrics.jsonl'), '{"step":1}\nDear reader\n{"step":3}\n'),
      [],
      1,
      'spoilt/metrics.jsonl:2: not a line of metrics; repair or remove the file, or give another --run-dir',
    ],
    [
      'with a folder for metrics',
      (name: string) => {
        rmSync(at(name, 'metrics.jsonl'));
        mkdirSync(at(name, 'metrics.jsonl'));
      },
      [],
      1,
      'spoilt/metrics.jsonl: cannot be written (EISDIR); remove what is in its place, then continue with --resume',
    ],
  ])('%s is refused', async (_what, spoil, set, exitCode, line) => {
    spoilt('spoilt', spoil, 2, 4);
    const { lines, changed, ...rest } = await refusalHere([
      'launch',
      'tiny.yaml',
      '--quiet',
      '--run-dir',
      'spoilt',
      '--resume',
      ...set,
    ]);
    expect({ lines, ...rest }).toEqual({ lines: [`troupe: ${line}`], exitCode, made: [] });
    expect(changed.filter((name) => name !== 'spoilt/events.jsonl')).toEqual([]);
    rmSync(at('spoilt'), { recursive: true });
  });

  test('with other texts is refused, and goes on when they are as they were', () => {
    const name = copyOf('whole', 'other', 4);
    const before = contentsOf(at(name));
    writeFileSync(at('texts', 'd.txt'), text('new'));
    const { lines, exitCode, changed } = refusalOf(['launch', 'tiny.yaml', '--quiet', '--run-dir', name, '--resume']);
    expect(lines).toEqual([
      `troupe: checkpoint other/checkpoints/${newer}: the corpora are not those it was trained on; restore the files, or start a new run`,
    ]);
    expect([exitCode, changed]).toEqual([1, []]);
    expect(contentsOf(at(name))).toEqual(before);
    rmSync(at('texts', 'd.txt'));
    expect(troupe(['launch', 'tiny.yaml', '--steps', '5', '--run-dir', name, '--resume'])).toMatchObject({
      exitCode: 0,
      stderr: '',
    });
  });
});
