/**
 * How fast rows of JSONL are packed with the `bytes` tokenizer, and in how much memory: `npm run bench -- pack GB`. The file is
 * made here, the same each time, and is removed afterwards, as what is packed of it; a disk needs twice its size. Beside it
 * one thread that does the least there is to do: it reads the file, parses each line and writes the text. Each side has a
 * process of its own.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { measuredSchema, type Measured, type Side } from './pack_sides.ts';
import { machine } from './report.ts';
import { writeTextRows } from './text_rows.ts';

const GIGABYTE = 1e9;
const SEED = 1;

/** What is done with the file, in this order: the second packing finds the first. */
const sides: readonly (readonly [Side, string])[] = [
  ['bare', 'one thread reads, parses, writes'],
  ['pack', 'packed'],
  ['again', 'found packed'],
];

export async function run([gigabytesGiven]: readonly string[] = []): Promise<void> {
  const gigabytes = Number(gigabytesGiven ?? 1);
  if (!(gigabytes > 0)) throw new RangeError(`gigabytes: a number above 0, not ${gigabytesGiven}`);
  const folder = mkdtempSync(join(tmpdir(), 'troupe-pack-'));
  try {
    const { bavail, bsize } = statfsSync(folder);
    const needed = 2.2 * gigabytes * GIGABYTE;
    if (bavail * bsize < needed) throw new Error(`${folder} has no room for ${(needed / GIGABYTE).toFixed(1)} GB`);
    const bytes = writeTextRows(join(folder, 'rows.jsonl'), gigabytes * GIGABYTE, SEED);
    console.log(`${machine()}; ${(bytes / GIGABYTE).toFixed(2)} GB of JSONL, lines of 200 B to 20 kB`);
    console.log(`${''.padEnd(34)}     s     MB/s   peak MiB   longest silence of the launcher`);
    const speeds: number[] = [];
    for (const [side, name] of sides) speeds.push(print(name, bytes, await measure(side, folder)));
    console.log(`packed at ${(speeds[1] / speeds[0]).toFixed(2)} times the speed of the one thread`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function measure(side: Side, folder: string): Promise<Measured> {
  const script = fileURLToPath(new URL('pack_sides.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script, side, folder]);
  return measuredSchema.parse(JSON.parse(stdout));
}

/** Returns megabytes a second. */
function print(name: string, bytes: number, { seconds, peakMiB, silenceMs }: Measured): number {
  const speed = bytes / 1e6 / seconds;
  const figures = [seconds.toFixed(1).padStart(6), speed.toFixed(0).padStart(9), peakMiB.toFixed(0).padStart(11)];
  console.log(name.padEnd(34) + figures.join('') + (silenceMs === null ? '' : `   ${silenceMs.toFixed(0)} ms`));
  return speed;
}
