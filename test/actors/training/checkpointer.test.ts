/** The checkpointer between logs and disk: what is durable when, and what becomes of a disk that is full. */
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CheckpointStore, type Checkpoint } from '../../../src/checkpoints/index.ts';
import { tagOf } from '../../../src/runtime/index.ts';
import { LogIo } from '../../../src/telemetry/index.ts';
import { bytesBelow, smallDisk } from '../../checkpoints/small_disk.ts';
import { play, smallTopology } from '../kit.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-checkpointer-'));
let count = 0;
const newDirectory = (): string => join(root, String(count++));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const settings = { 'checkpoint.interval': 2 };
const complete = (directory: string): string[] =>
  readdirSync(directory).filter((name) => /^step-\d+\.g\d+$/.test(name));

describe('the logs', () => {
  it('are synced after all that a checkpoint holds is on disk, and before it is complete', async () => {
    const directory = newDirectory();
    const seen: string[][] = [];
    const syncLogs = (): void => void seen.push(readdirSync(directory).filter((name) => name.startsWith('step-')));
    await play(smallTopology(settings), { directory, syncLogs });
    expect(seen.map((names) => names.sort())).toEqual([
      ['step-000000.g1.partial'],
      ['step-000000.g1', 'step-000002.g1.partial'],
      ['step-000000.g1', 'step-000002.g1', 'step-000004.g1.partial'],
    ]);
  });

  it('that cannot be synced end the run with their name, and without a checkpoint beyond them', async () => {
    const directory = newDirectory();
    const full = new LogIo('metrics.jsonl', 'written', Object.assign(new Error('full'), { code: 'ENOSPC' }));
    let syncs = 0;
    const syncLogs = (): void => {
      if (++syncs === 2) throw full;
    };
    await expect(play(smallTopology(settings), { directory, syncLogs })).rejects.toMatchObject({
      tag: 'LogIo',
      message: 'metrics.jsonl: cannot be written (ENOSPC); free space on that disk, then continue with --resume',
    });
    expect(readdirSync(directory).sort()).toEqual(['latest.json', 'step-000000.g1']);
    expect(complete(directory)).toEqual(['step-000000.g1']);
  });
});

describe('a disk that is full', () => {
  /** Bytes of one checkpoint of the small topology, which is far more than the pointer. */
  let size: number;
  beforeAll(async () => {
    const directory = newDirectory();
    await play(smallTopology(), { directory, keep: 1 });
    expect(complete(directory)).toEqual(['step-000004.g1']);
    size = bytesBelow(directory);
  });

  /** Trains with a checkpoint each step on a disk that has room for so many of them, and says what is left and removed. */
  async function on(checkpoints: number, keep: number, first?: { directory: string; from: Checkpoint }) {
    const directory = first?.directory ?? newDirectory();
    const removed: string[] = [];
    const disk = smallDisk(directory, Math.ceil((checkpoints + 0.5) * size));
    const onPruned = (names: readonly string[]): void => void removed.push(...names);
    const from = first === undefined ? {} : { from: first.from };
    const played = play(smallTopology({ 'checkpoint.interval': 1 }), { directory, disk, keep, onPruned, ...from });
    const message = await played.then(
      ({ leasedFrames }) => (leasedFrames === 0 ? null : `${leasedFrames} frames are held`),
      (error: unknown) => (tagOf(error) === 'CheckpointIo' && error instanceof Error ? error.message : error),
    );
    return { directory, message, removed, left: complete(directory) };
  }

  it('is written to all the same where what would go after the next checkpoint may go before it', async () => {
    const { message, removed, left } = await on(3, 3);
    expect(message).toBeNull();
    expect(removed).toEqual(['step-000000.g1', 'step-000001.g1']);
    expect(left).toEqual(['step-000002.g1', 'step-000003.g1', 'step-000004.g1']);
  });

  it('says which keep would do, and with that the run goes on to its end', async () => {
    const { directory, message, removed, left } = await on(3, 9);
    expect(removed).toEqual([]);
    expect(left).toEqual(['step-000000.g1', 'step-000001.g1', 'step-000002.g1']);
    expect(message).toMatch(
      /: ENOSPC: no space left on device, write; free space on that disk or lower checkpoint\.keep to 3, then launch again with --resume: it goes on from step 2$/,
    );
    const { checkpoint: from } = await new CheckpointStore(directory).openNewestValid();
    expect(await on(3, 3, { directory, from })).toMatchObject({
      message: null,
      removed: ['step-000000.g1', 'step-000001.g1'],
      left: ['step-000002.g1', 'step-000003.g2', 'step-000004.g2'],
    });
  });

  it('goes on with one checkpoint to keep where there were many, as long as two fit', async () => {
    const { directory } = await on(3, 9);
    const { checkpoint: from } = await new CheckpointStore(directory).openNewestValid();
    expect(await on(3, 1, { directory, from })).toMatchObject({
      message: null,
      removed: ['step-000001.g1', 'step-000000.g1'],
      left: ['step-000004.g2'],
    });
  });

  it.each([1, 2, 9])('never gives the last whole checkpoint away, and says what is needed: keep %i', async (keep) => {
    const { message, removed, left } = await on(1, keep);
    expect(removed).toEqual([]);
    expect(left).toEqual(['step-000000.g1']);
    expect(message).toMatch(
      /; free space on that disk: a checkpoint takes \d+\.\d MiB, and the one there is stays until the next is complete, whatever checkpoint\.keep is, then launch again with --resume: it goes on from step 0$/,
    );
  });

  it('has nothing to give at the first checkpoint', async () => {
    expect(await on(0, 3)).toMatchObject({
      message: expect.stringMatching(
        /; free space on that disk, then launch again with --resume: it begins anew, as no checkpoint was written yet$/,
      ) as unknown,
      left: [],
    });
  });
});

describe('a run directory that is gone', () => {
  it.each([
    ['removed', (runDir: string) => rmSync(runDir, { recursive: true }), 'removed'],
    ['renamed', (runDir: string) => renameSync(runDir, `${runDir}-mine`), 'renamed'],
  ])('is said to be, where it was %s in the middle of the run', async (_how, leave, name) => {
    const runDir = join(root, name);
    mkdirSync(runDir);
    let checkpoints = 0;
    const syncLogs = (): void => {
      if (++checkpoints === 2) leave(runDir);
    };
    await expect(
      play(smallTopology(settings), { directory: join(runDir, 'checkpoints'), syncLogs }),
    ).rejects.toMatchObject({
      tag: 'RunDirectoryGone',
      message: `run directory ${runDir}: is gone, removed or renamed while the run wrote to it; where it was renamed, resume it there, else start a new run`,
    });
  });
});
