/**
 * What it costs to pass messages between two threads: tensors one way through shared slots, beside a bare port that copies
 * or transfers the same bytes; and small asks, beside a bare port's round trips. The sender keeps its tensor in all cases,
 * so a transfer is of a copy. Bursts of 8 tensors, each burst acknowledged; medians of five interleaved runs.
 */

import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { startWorkers } from '../src/runtime/cluster/index.ts';
import { ActorSystem } from '../src/runtime/index.ts';
import { machine, median } from './report.ts';
import { benchProtocol } from './threads.protocol.ts';

const ROUNDS = 5;
const BURST = 8;
/** Of one run. */
const TOTAL_BYTES = 2 ** 28;
const TRIPS = 10_000;
const IN_FLIGHT = 100;

/** One contestant. */
interface Side {
  readonly name: string;
  put(data: Float32Array<ArrayBuffer>): void;
  /** Resolves when all that was put has been read, with the sum of first elements. */
  drained(): Promise<number>;
  ping(n: number): Promise<unknown>;
}

async function openOurs(): Promise<{ side: Side; stop: () => Promise<void>; overflows: () => number }> {
  const entry = new URL('./threads.worker.ts', import.meta.url);
  const onFailure = (failure: Error): void => console.error(failure.message);
  const host = startWorkers({ name: 'bench', entry, workers: [{}], onFailure });
  const system = new ActorSystem({ name: host.name, transport: host.transport });
  await host.ready();
  const far = system.ref(benchProtocol, 'bench/far');
  const side: Side = {
    name: 'ours',
    put: (data) => far.tell.put({ x: { dtype: 'f32', shape: [data.length], data } }),
    drained: () => far.ask.drained(),
    ping: (n) => far.ask.ping({ n }),
  };
  const stop = async (): Promise<void> => {
    await system.stop();
    await host.stop();
  };
  return { side, stop, overflows: () => host.transport.pool.overflows };
}

async function openPort(): Promise<{ copy: Side; transfer: Side; stop: () => Promise<void> }> {
  const worker = new Worker(new URL('./threads.port.ts', import.meta.url));
  await once(worker, 'online');
  const waiting: ((answer: number) => void)[] = [];
  worker.on('message', (answer: number) => waiting.shift()?.(answer));
  const ask = (message: unknown): Promise<number> => {
    worker.postMessage(message);
    return new Promise((resolve) => waiting.push(resolve));
  };
  const shared = { drained: () => ask('drained'), ping: (n: number) => ask(n) };
  const copy: Side = { ...shared, name: 'copied', put: (data) => worker.postMessage(data) };
  const transfer: Side = {
    ...shared,
    name: 'transferred',
    put(data) {
      const own = data.slice();
      worker.postMessage(own, [own.buffer]);
    },
  };
  const stop = async (): Promise<void> => {
    worker.postMessage('stop');
    await once(worker, 'exit');
  };
  return { copy, transfer, stop };
}

/** MB a second, one way. */
async function throughput(side: Side, data: Float32Array<ArrayBuffer>): Promise<number> {
  const bursts = TOTAL_BYTES / data.byteLength / BURST;
  const startMs = performance.now();
  for (let burst = 0; burst < bursts; burst++) {
    for (let i = 0; i < BURST; i++) side.put(data);
    const sum = await side.drained();
    if (sum !== BURST) throw new RangeError(`${side.name}: ${sum} of ${BURST} tensors were read`);
  }
  return TOTAL_BYTES / 1e3 / (performance.now() - startMs);
}

/** Round trips a second, `inFlight` at a time. */
async function tripsPerSecond(side: Side, inFlight: number): Promise<number> {
  const startMs = performance.now();
  for (let n = 0; n < TRIPS; n += inFlight) {
    await Promise.all(Array.from({ length: inFlight }, (_, i) => side.ping(n + i)));
  }
  return (TRIPS / (performance.now() - startMs)) * 1e3;
}

/** Medians of interleaved runs, a side each; the first round warms up and is not counted. */
async function compare(sides: readonly Side[], measure: (side: Side) => Promise<number>): Promise<number[]> {
  const results = sides.map((): number[] => []);
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [i, side] of sides.entries()) {
      const result = await measure(side);
      if (round > 0) results[i].push(result);
    }
  }
  return results.map(median);
}

function print(name: string, sides: readonly Side[], [ours, ...others]: readonly number[], unit: string): void {
  const columns = others.map((each, i) => `${sides[i + 1].name} ${each.toFixed(0)}, ratio ${(ours / each).toFixed(2)}`);
  console.log(`  ${name.padEnd(28)}ours ${ours.toFixed(0)} ${unit}; ${columns.join('; ')}`);
}

export async function run(): Promise<void> {
  console.log(`threads: ${machine()}, medians of ${ROUNDS} interleaved runs`);
  const { side, stop, overflows } = await openOurs();
  const port = await openPort();
  const sides = [side, port.copy, port.transfer];
  for (const kib of [16, 256, 1024]) {
    const data = new Float32Array(kib * 256).fill(1);
    print(`${kib} KiB one way`, sides, await compare(sides, (each) => throughput(each, data)), 'MB/s');
  }
  const pair = [side, { ...port.copy, name: 'bare port' }];
  for (const inFlight of [1, IN_FLIGHT]) {
    const rates = await compare(pair, (each) => tripsPerSecond(each, inFlight));
    print(`round trips, ${inFlight} in flight`, pair, rates, 'a second');
  }
  console.log(`  sent without a slot: ${overflows()}`);
  await port.stop();
  await stop();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await run();
