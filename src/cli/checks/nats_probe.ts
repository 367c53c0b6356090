/** The probe of nats-server, given its path: its version, then a server of our own, which says whether it has JetStream. */
import { spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { NatsServer } from '../../runtime/cluster/nats_server.ts';
import { answer } from './probe.ts';

/** What a server says to whoever connects, before it asks who that is. */
const greeting = z.object({ jetstream: z.boolean().default(false) });

async function hasJetStream(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  for await (const line of createInterface({ input: socket })) {
    socket.destroy();
    return greeting.parse(JSON.parse(line.replace(/^INFO /, ''))).jetstream;
  }
  throw new Error(`127.0.0.1:${port}: hangs up without a greeting; see which program listens there`);
}

await answer(async () => {
  const program = process.argv[2];
  const { stdout, error } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  if (error !== undefined) return { version: '', jetstream: false, failure: error.message };
  const version = stdout.trim();
  try {
    const server = await NatsServer.start({ searchPath: path.dirname(program) });
    try {
      return { version, jetstream: await hasJetStream(server.port), failure: null };
    } finally {
      await server.close();
    }
  } catch (error) {
    return { version, jetstream: false, failure: error instanceof Error ? error.message : String(error) };
  }
});
