/** A process that starts a nats-server, says so, and waits to be killed. */

import { NatsServer } from '../../../src/runtime/cluster/nats_server.ts';

const server = await NatsServer.start();
process.stdout.write(`${JSON.stringify({ pid: server.pid, token: server.address.token })}\n`);
setInterval(() => undefined, 1_000);
