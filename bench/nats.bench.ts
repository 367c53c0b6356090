/**
 * What it costs to send tensors to an actor on another node, beside the bare client moving the same bytes in the same
 * chunks into memory. Two processes and one nats-server on this machine, all sides by turns, medians; ratios are of the
 * same round, since others may use the machine. Ours encodes, checks sums and order, puts frames together and hands them
 * to an actor, from main thread to main thread or, through the gateways of both nodes, from worker thread to worker
 * thread. CPU time is of the two main threads together.
 */

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { connect, type NatsConnection } from 'nats';
import { NatsServer } from '../src/runtime/cluster/nats_server.ts';
import { LINK_LIMITS } from '../src/runtime/transport/link_limits.ts';
import { openNode } from './nats.node.ts';
import { feed, sinkProtocol, sourceProtocol, TIMEOUT_MS } from './nats.protocol.ts';
import { BARE_BURST, BARE_DATA, threadCpuMs } from './nats_peer.ts';
import { machine, median } from './report.ts';

const ROUNDS = 9;
const TOTAL_BYTES = 64 * 2 ** 20;
/** Bare publishes between two flushes, in bytes, so that its memory is bounded as ours is. */
const BARE_WINDOW_BYTES = LINK_LIMITS.unflushedBytes;

type Send = (bytes: number, messages: number) => Promise<unknown>;

interface Result {
  readonly megabytesPerSecond: number;
  readonly cpuMsPerMib: number;
}

const bareSend =
  (bare: NatsConnection): Send =>
  async (bytes, messages) => {
    const chunk = new Uint8Array(Math.min(bytes, LINK_LIMITS.chunkBytes)).fill(7);
    let unflushedBytes = 0;
    let flushed = Promise.resolve();
    for (let sent = 0; sent < bytes * messages; sent += chunk.length) {
      bare.publish(BARE_DATA, chunk);
      unflushedBytes += chunk.length;
      if (unflushedBytes < BARE_WINDOW_BYTES / 2) continue;
      // One flush under way while the next half of the window fills.
      await flushed;
      flushed = bare.flush();
      unflushedBytes = 0;
    }
    return bare.request(BARE_BURST, String(bytes * messages), { timeout: TIMEOUT_MS });
  };

async function cpuMs(peer: ChildProcess): Promise<number> {
  peer.send('cpu');
  const peerMs = await new Promise((resolve) => peer.once('message', resolve));
  return threadCpuMs() + Number(peerMs);
}

async function measure(peer: ChildProcess, send: Send, bytes: number): Promise<Result> {
  const startCpuMs = await cpuMs(peer);
  const startMs = performance.now();
  await send(bytes, TOTAL_BYTES / bytes);
  const elapsedMs = performance.now() - startMs;
  const usedMs = (await cpuMs(peer)) - startCpuMs;
  return { megabytesPerSecond: TOTAL_BYTES / 1e3 / elapsedMs, cpuMsPerMib: usedMs / (TOTAL_BYTES / 2 ** 20) };
}

/** Prints MB/s of all sides for messages of 64 KiB and 512 KiB, their ratio to the bare client, and CPU time. */
export async function run(): Promise<void> {
  const server = await NatsServer.start();
  const { url, token = '' } = server.address;
  const env = { ...process.env, BENCH_URL: url, BENCH_TOKEN: token };
  const peer = fork(path.join(import.meta.dirname, 'nats_peer.ts'), { env });
  await once(peer, 'message');
  const node = await openNode(server.address, 'main');
  const bare = await connect({ servers: url, token });
  const sink = node.system.ref(sinkProtocol, 'peer/sink');
  const source = node.system.ref(sourceProtocol, 'main.worker-0/source');
  const sides: [string, Send][] = [
    ['bare', bareSend(bare)],
    ['main threads', (bytes, messages) => feed(sink, bytes, messages)],
    [
      'worker threads',
      (bytes, messages) =>
        source.ask.feed({ to: 'peer.worker-0/sink', bytes, messages }, { timeoutMs: 2 * TIMEOUT_MS }),
    ],
  ];

  console.log(`nats: ${machine()}, chunks of at most ${LINK_LIMITS.chunkBytes / 1024} KiB, medians of ${ROUNDS}`);
  for (const bytes of [64 * 1024, 512 * 1024]) {
    const results = sides.map((): Result[] => []);
    // The first round warms all up and is not counted.
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [i, [, send]] of sides.entries()) {
        const result = await measure(peer, send, bytes);
        if (round > 0) results[i].push(result);
      }
    }
    const bareSpeeds = results[0].map(({ megabytesPerSecond }) => megabytesPerSecond);
    for (const [i, [name]] of sides.entries()) {
      const speeds = results[i].map(({ megabytesPerSecond }) => megabytesPerSecond);
      const ratio = median(speeds.map((speed, round) => speed / bareSpeeds[round]));
      const cpu = median(results[i].map(({ cpuMsPerMib }) => cpuMsPerMib));
      const columns = [`${median(speeds).toFixed(0)} MB/s`, `ratio ${ratio.toFixed(2)}`];
      columns.push(`main threads' CPU ${cpu.toFixed(2)} ms/MiB`);
      console.log(`  ${`${bytes / 1024} KiB`.padEnd(9)}${name.padEnd(15)}${columns.join('  ')}`);
    }
  }
  peer.disconnect();
  await bare.close();
  await node.close();
  await server.close();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await run();
