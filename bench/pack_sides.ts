/** One side of the benchmark of packing, as a process: `node pack_sides.ts SIDE FOLDER` prints what it took as JSON. */
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { BytesTokenizer, packBlend } from '../src/data/index.ts';

const sideSchema = z.enum(['bare', 'pack', 'again']);

/** `bare`: one thread without any of this project's code. `pack` and `again`: the same call twice, in two processes. */
export type Side = z.output<typeof sideSchema>;

export const measuredSchema = z.object({
  seconds: z.number(),
  peakMiB: z.number(),
  /** The longest time in which the thread that is to hear Ctrl-C heard nothing. */
  silenceMs: z.number().nullable(),
});

export type Measured = z.output<typeof measuredSchema>;

const CHUNK_BYTES = 2 ** 20;
const LINE_FEED = 0x0a;
const TICK_MS = 5;

async function measure(side: Side, folder: string): Promise<Measured> {
  const begunMs = performance.now();
  const silenceMs = side === 'bare' ? bare(join(folder, 'rows.jsonl'), join(folder, 'bare.bin')) : await pack(folder);
  const seconds = (performance.now() - begunMs) / 1000;
  return { seconds, peakMiB: process.resourceUsage().maxRSS / 1024, silenceMs };
}

function bare(from: string, to: string): null {
  const [source, target] = [openSync(from, 'r'), openSync(to, 'w')];
  const room = Buffer.alloc(CHUNK_BYTES);
  let held = 0;
  for (let got = -1; got !== 0;) {
    got = readSync(source, room, held, room.length - held, null);
    held += got;
    const lines = room.subarray(0, held);
    let begin = 0;
    for (let end = lines.indexOf(LINE_FEED); end >= 0; end = lines.indexOf(LINE_FEED, begin)) {
      const row = JSON.parse(lines.toString('utf8', begin, end)) as { readonly text: string };
      writeSync(target, `${row.text}\0`);
      begin = end + 1;
    }
    room.copyWithin(0, begin, held);
    held -= begin;
  }
  closeSync(source);
  closeSync(target);
  rmSync(to);
  return null;
}

async function pack(folder: string): Promise<number> {
  let silenceMs = 0;
  let lastMs = performance.now();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    silenceMs = Math.max(silenceMs, nowMs - lastMs);
    lastMs = nowMs;
  }, TICK_MS);
  const corpus = { name: 'rows', globs: ['rows.jsonl'], weight: 1, format: 'auto', textKey: 'text' } as const;
  await packBlend({
    baseDir: folder,
    cacheDir: join(folder, 'cache'),
    tokenizer: new BytesTokenizer(),
    heldOutFraction: 0.02,
    blockTokens: 4096,
    seed: 1,
    corpora: [{ ...corpus, maxFileBytes: 2 ** 20 }],
  });
  clearInterval(timer);
  return silenceMs;
}

const [side, folder] = process.argv.slice(2);
if (import.meta.main) console.log(JSON.stringify(await measure(sideSchema.parse(side), folder)));
