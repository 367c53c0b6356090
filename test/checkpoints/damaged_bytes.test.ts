/**
 * Damage at every place of a checkpoint: each bit of its manifest, and hundreds of changes to its shards. Each is refused
 * by the name of the file, and the checkpoint before is taken.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { CheckpointStore, DamagedCheckpoint, readManifest } from '../../src/checkpoints/index.ts';
import { decodeManifest } from '../../src/checkpoints/manifest.ts';
import { asVersion1, forge, scratchFolder, write } from './scratch.ts';

let store: CheckpointStore;
let newer: string;
beforeEach(async () => {
  store = await CheckpointStore.forWriting(scratchFolder());
  await write(store, 100, 1);
  await write(store, 200, 1);
  newer = join(store.dir, 'step-000200.g1');
});

/** The file that is named by the refusal of the newer checkpoint; fails unless the older one is taken. */
async function refusedFile(): Promise<string> {
  const { checkpoint, refused } = await store.openNewestValid();
  expect(checkpoint.name.step).toBe(100);
  expect(refused).toEqual([expect.any(DamagedCheckpoint)]);
  expect(refused[0].path.startsWith(newer)).toBe(true);
  return basename(refused[0].path);
}

describe('the manifest', () => {
  it('is refused whichever bit of it is changed, wherever it is cut short, and with anything behind it', () => {
    const path = join(newer, 'manifest.json');
    const whole = readFileSync(path);
    const bits = Array.from(whole.keys()).flatMap((at) =>
      [0, 1, 2, 3, 4, 5, 6, 7].map((bit) => flip(whole, at, 1 << bit)),
    );
    const cuts = Array.from(whole.keys(), (length) => whole.subarray(0, length));
    for (const damaged of [...bits, ...cuts, Buffer.concat([whole, Buffer.from('\n')])]) {
      expect(() => decodeManifest(damaged, path)).toThrow(DamagedCheckpoint);
    }
    expect(decodeManifest(whole, path).step).toBe(200);
  });

  it('that is damaged leaves the one before to go on from', async () => {
    const path = join(newer, 'manifest.json');
    const whole = readFileSync(path);
    for (let at = 0; at < whole.length; at += 25) {
      writeFileSync(path, flip(whole, at, 1 << (at % 8)));
      expect(await refusedFile(), `byte ${at}`).toBe('manifest.json');
    }
    writeFileSync(path, whole);
    expect((await store.openNewestValid()).checkpoint.name.step).toBe(200);
  });

  it.each([{ updateStep: 8 }, { lossScale: { scale: 2, cleanSteps: 0 } }, { topology: {} }, { extra: null }])(
    'is believed only with the digest of its own bytes: %j',
    async (change) => {
      const path = join(newer, 'manifest.json');
      const whole = readFileSync(path, 'utf8');
      forge(newer, change);
      const forged = readFileSync(path, 'utf8');
      expect(await readManifest(newer)).toMatchObject(change);
      writeFileSync(path, forged.slice(0, -70) + whole.slice(-70));
      expect(await refusedFile()).toBe('manifest.json');
    },
  );

  it('of a release that wrote no digest is read still', async () => {
    const whole = await readManifest(newer);
    asVersion1(newer);
    expect((await store.openNewestValid()).checkpoint.manifest).toEqual({ ...whole, version: 1 });
  });
});

describe('a shard', () => {
  const shards = ['stage-0.safetensors', 'expert-0.safetensors'];
  const damages: [string, (bytes: Buffer, i: number) => Buffer][] = [
    ['a bit flipped', (bytes, i) => flip(bytes, (i * 7919) % bytes.length, 1 << (i % 8))],
    ['a byte flipped', (bytes, i) => flip(bytes, (i * 104_729) % bytes.length, 0xff)],
    ['cut short', (bytes, i) => bytes.subarray(0, Math.floor((bytes.length * i) / 33))],
    ['longer', (bytes, i) => Buffer.concat([bytes, Buffer.alloc(i + 1)])],
    ['overwritten for eight bytes', (bytes, i) => flip(bytes, (i * 5) % (bytes.length - 8), 0, 8)],
    ['with its ends exchanged', (bytes, i) => Buffer.concat([bytes.subarray(i + 1), bytes.subarray(0, i + 1)])],
  ];
  const variants = damages.flatMap(([what, damage]) =>
    Array.from({ length: 33 }, (_, i) => [what, damage, i] as const),
  );

  it(`is refused in each of ${variants.length} ways to damage it`, async () => {
    expect(variants.length).toBe(198);
    for (const [what, damage, i] of variants) {
      const path = join(newer, shards[i % shards.length]);
      const whole = readFileSync(path);
      writeFileSync(path, damage(whole, i));
      expect(await refusedFile(), `${what}, ${i}`).toBe(shards[i % shards.length]);
      writeFileSync(path, whole);
    }
  });

  it('is refused where it is missing, another one, or that of another checkpoint', async () => {
    const [stage, expert] = shards.map((name) => join(newer, name));
    const [stageBytes, expertBytes] = [stage, expert].map((path) => readFileSync(path));
    rmSync(stage);
    expect(await refusedFile()).toBe('stage-0.safetensors');
    renameSync(expert, stage);
    expect(await refusedFile()).toBe('expert-0.safetensors');
    writeFileSync(expert, expertBytes);
    expect(await refusedFile()).toBe('stage-0.safetensors');
    writeFileSync(stage, readFileSync(join(store.dir, 'step-000100.g1', 'stage-0.safetensors')));
    expect(await refusedFile()).toBe('stage-0.safetensors');
    writeFileSync(stage, stageBytes);
    expect((await store.openNewestValid()).checkpoint.name.step).toBe(200);
  });
});

/** A copy with bits of one byte turned over, or some bytes overwritten. */
function flip(bytes: Buffer, at: number, bits: number, overwritten = 0): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] ^= bits;
  return copy.fill(0xa5, at, at + overwritten);
}
