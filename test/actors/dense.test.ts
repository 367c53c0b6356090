/** A model without experts runs through the same actors. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { denseTopology, play } from './kit.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-dense-'));
let count = 0;
const directory = (): string => join(root, String(count++));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const settings = { 'parallelism.micro_batches': 4 };

describe('a dense transformer', () => {
  it('trains without a row to route, the same bits on any mesh', async () => {
    const alone = await play(denseTopology(settings), { directory: directory() });
    expect(alone.curve.at(-1)!.loss).toBeLessThan(alone.curve[0].loss);
    for (const { routed, processed, spilled, dropped, expert_load, aux_loss, z_loss } of alone.curve) {
      expect({ routed, processed, spilled, dropped, aux_loss, z_loss }).toEqual({
        routed: 0,
        processed: 0,
        spilled: 0,
        dropped: 0,
        aux_loss: 0,
        z_loss: 0,
      });
      expect(expert_load).toEqual({});
    }
    const mesh = { 'parallelism.data_parallel': 2, 'parallelism.pipeline_parallel': 2, 'parallelism.micro_batches': 2 };
    const divided = await play(denseTopology({ ...settings, ...mesh }), { directory: directory() });
    expect(divided.curve).toEqual(alone.curve);
    expect(divided.digest).toBe(alone.digest);
  });
});
