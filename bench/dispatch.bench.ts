/**
 * A dispatch of 168 MB in one microbatch, from a router on one node to the experts on another, through a nats-server that cuts
 * off who has more than 64 MiB waiting: does all arrive, does the server call anybody a slow consumer, and what does the
 * way cost? 10,240 tokens of 1,024 numbers go to 8 experts each, without capacity, as bf16; the experts are tiny. Beside it the
 * same run on one worker, where the rows do not travel.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { launch, parseTopology, type RunEvent } from '../src/index.ts';
import { NatsServer } from '../src/runtime/cluster/nats_server.ts';
import { machine, median } from './report.ts';

const SEQUENCES = 40;
const SEQUENCE = 256;
const HIDDEN = 1024;
const TOP_K = 8;
const STEPS = 3;
const MAX_PENDING_BYTES = 64 * 2 ** 20;
/** Rows as bf16. */
const DISPATCH_BYTES = SEQUENCES * SEQUENCE * TOP_K * HIDDEN * 2;

const yaml = (cluster: string): string => `
name: dispatch
model: { architecture: switch, hidden_size: ${HIDDEN}, num_hidden_layers: 1, num_attention_heads: 8,
         intermediate_size: 16, max_position_embeddings: ${SEQUENCE} }
moe: { num_experts: ${TOP_K}, top_k: ${TOP_K}, every_n_layers: 1, overflow: dropless }
training: { steps: ${STEPS}, global_batch_size: ${SEQUENCES}, sequence_length: ${SEQUENCE}, eval_interval: 0 }
optimizer: { warmup_steps: 0 }
checkpoint: { interval: 0 }
cluster: { memory_per_worker: 4GiB, ${cluster} }
data: { held_out: 0.1, blend: [ { name: words, glob: "*.txt" } ] }
`;

interface Found {
  readonly stepMs: number;
  /** Through the server, of a step. */
  readonly natsBytes: number;
  readonly waitMs: number;
  readonly losses: readonly number[];
  readonly incidents: number;
}

/** A run of a few steps; the first is not counted. */
async function play(folder: string, cluster: string): Promise<Found> {
  const events: RunEvent[] = [];
  const runDir = mkdtempSync(join(folder, 'run-'));
  await launch(parseTopology(yaml(cluster), 'dispatch.yaml'), {
    baseDir: folder,
    runDir,
    observe: (event) => events.push(event),
  });
  const steps = events.flatMap((event) => (event.kind === 'step' ? [event.metrics] : []));
  const sumOf = (by: Readonly<Record<string, number>>): number => Object.values(by).reduce((sum, ms) => sum + ms, 0);
  const counted = steps.slice(1);
  return {
    stepMs: median(counted.map(({ step_ms }) => step_ms)),
    natsBytes: median(counted.map(({ bytes_sent }) => bytes_sent.nats ?? 0)),
    waitMs: median(counted.map(({ credit_wait_ms }) => sumOf(credit_wait_ms))),
    losses: steps.map(({ loss }) => loss),
    incidents: linesOf(join(runDir, 'events.jsonl'), /"kind":"incident"/),
  };
}

/** How many lines of a file match. */
const linesOf = (file: string, pattern: RegExp): number =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => pattern.test(line)).length;

export async function run(): Promise<void> {
  console.log(
    `dispatch: ${machine()}, ${SEQUENCES * SEQUENCE} tokens to ${TOP_K} experts each, ` +
      `${(DISPATCH_BYTES / 1e6).toFixed(0)} MB a dispatch, max_pending ${MAX_PENDING_BYTES / 2 ** 20} MiB, medians of ${STEPS - 1} steps`,
  );
  const folder = mkdtempSync(join(tmpdir(), 'troupe-dispatch-'));
  writeFileSync(join(folder, 'words.txt'), 'actor expert router stage token slot gate loss '.repeat(5_000));
  const storeDir = join(folder, 'store');
  const server = await NatsServer.start({ storeDir, maxPendingBytes: MAX_PENDING_BYTES });
  process.env.TROUPE_NATS_TOKEN = server.address.token;
  try {
    const alone = await play(folder, 'nats: { url: none }');
    const apart = await play(folder, `nodes: 2, nats: { url: "${server.address.url}" }`);
    const slow = linesOf(server.address.log!, /slow consumer/i);
    console.log(`  one worker            ${alone.stepMs.toFixed(0)} ms a step`);
    const perSecond = apart.natsBytes / 1e3 / apart.stepMs;
    console.log(
      `  2 nodes x 1 worker    ${apart.stepMs.toFixed(0)} ms a step, ${(apart.stepMs / alone.stepMs).toFixed(2)} x; ` +
        `${(apart.natsBytes / 1e6).toFixed(0)} MB through the server, ${perSecond.toFixed(0)} MB a second of all its time; ` +
        `waits for credit ${apart.waitMs.toFixed(0)} ms`,
    );
    const isSame = JSON.stringify(alone.losses) === JSON.stringify(apart.losses);
    console.log(
      `  slow consumers: ${slow} (wanted: 0); steps run again: ${apart.incidents} (wanted: 0); losses ${isSame ? 'equal' : 'DIFFERENT'}`,
    );
  } finally {
    await server.close();
    rmSync(folder, { recursive: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await run();
