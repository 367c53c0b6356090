/** Hybrids by pattern, of odd widths: the same bits cut into stages, replicas and groups, and gone on with on another mesh. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CheckpointStore } from '../../src/checkpoints/index.ts';
import { hybrids } from './families.ts';
import { play, type Played } from './kit.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-hybrids-'));
let count = 0;
const directory = (): string => join(root, String(count++));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const divided = {
  'parallelism.pipeline_parallel': 4,
  'parallelism.data_parallel': 2,
  'parallelism.micro_batches': 2,
  'parallelism.expert_parallel': 2,
};

describe.each(Object.entries(hybrids))('%s', (_name, topology) => {
  const alone = topology({ 'parallelism.micro_batches': 4 });
  let whole: Played;
  beforeAll(async () => {
    whole = await play(alone, { directory: directory() });
  });

  it('cut into stages, replicas and groups', async () => {
    const { curve, digest } = await play(topology(divided), { directory: directory() });
    expect({ curve, digest }).toEqual({ curve: whole.curve, digest: whole.digest });
  });

  it('resumed on another mesh', async () => {
    const where = directory();
    const first = await play(topology(divided), { directory: where, stopAfter: 1 });
    const { checkpoint } = await new CheckpointStore(where).openNewestValid();
    const second = await play(alone, { directory: where, from: checkpoint });
    expect([...first.curve, ...second.curve]).toEqual(whole.curve);
    expect(second.digest).toBe(whole.digest);
  });
});
