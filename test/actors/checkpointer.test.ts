/** The checkpointer between logs and disk: what is durable when, and what becomes of a disk that is full. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { LogIo } from '../../src/telemetry/index.ts';
import { play, smallTopology } from './kit.ts';

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
