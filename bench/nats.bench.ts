/**
 * What it costs to send tensors to an actor on another node, beside the bare client moving the same bytes in the same
 * chunks into memory. Two processes and one nats-server on this machine, both sides by turns, medians. Ours encodes,
 * checks sums and order, puts frames together and hands them to an actor.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { connect } from 'nats';
import type { TensorPayload } from '../src/runtime/index.ts';
import { NatsServer } from '../src/runtime/cluster/nats_server.ts';
import { LINK_LIMITS } from '../src/runtime/transport/link_limits.ts';
import { BARE_BURST, BARE_DATA, benchNode, sinkProtocol } from './nats_peer.ts';
import { machine, median } from './report.ts';

const ROUNDS = 9;
const BURST_BYTES = 64 * 2 ** 20;
const TIMEOUT_MS = 60_000;
/** Bare publishes between two flushes, in bytes, so that its memory is bounded as ours is. */
const BARE_WINDOW_BYTES = LINK_LIMITS.unflushedBytes;

type Send = (bytes: number, messages: number) => Promise<unknown>;

async function megabytesPerSecond(send: Send, bytes: number): Promise<number> {
  const messages = BURST_BYTES / bytes;
  const startMs = performance.now();
  await send(bytes, messages);
  return (bytes * messages) / 1e3 / (performance.now() - startMs);
}

/** Prints MB/s of both sides for messages of 64 KiB and 512 KiB, and their ratio. */
export async function run(): Promise<void> {
  const server = await NatsServer.start();
  const { url, token = '' } = server.address;
  const env = { ...process.env, BENCH_URL: url, BENCH_TOKEN: token };
  const peer = fork(path.join(import.meta.dirname, 'nats_peer.ts'), { env });
  await once(peer, 'message');
  const [system, transport] = await benchNode(server.address, 'main');
  const sink = system.ref(sinkProtocol, 'peer/sink');
  const bare = await connect({ servers: url, token });

  const tensors = new Map<number, TensorPayload>();
  const ours: Send = (bytes, messages) => {
    const x = tensors.get(bytes) ?? { dtype: 'f32', shape: [bytes / 4], data: new Float32Array(bytes / 4).fill(1.5) };
    tensors.set(bytes, x);
    for (let i = 0; i < messages; i++) sink.tell.put({ x });
    return sink.ask.burst({ messages }, { timeoutMs: TIMEOUT_MS });
  };
  const theirs: Send = async (bytes, messages) => {
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

  console.log(`nats: ${machine()}, chunks of at most ${LINK_LIMITS.chunkBytes / 1024} KiB, medians of ${ROUNDS}`);
  for (const bytes of [64 * 1024, 512 * 1024]) {
    const results: { ours: number; bare: number }[] = [];
    // The first round warms both up and is not counted.
    for (let round = 0; round <= ROUNDS; round++) {
      const result = { ours: await megabytesPerSecond(ours, bytes), bare: await megabytesPerSecond(theirs, bytes) };
      if (round > 0) results.push(result);
    }
    const [a, b] = [median(results.map((r) => r.ours)), median(results.map((r) => r.bare))];
    const columns = [`${a.toFixed(0)} MB/s`, `bare ${b.toFixed(0)} MB/s`, `ratio ${(a / b).toFixed(2)}`];
    console.log(`  ${`${bytes / 1024} KiB`.padEnd(12)}${columns.map((c) => c.padStart(18)).join('')}`);
  }
  peer.disconnect();
  await bare.close();
  await system.stop();
  await transport.close();
  await server.close();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await run();
