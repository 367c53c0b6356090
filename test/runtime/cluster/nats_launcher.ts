/** A process that starts a nats-server, says so or why not, and waits to be killed. */

import { NatsServer } from '../../../src/runtime/cluster/nats_server.ts';
import { tagOf } from '../../../src/runtime/system/errors.ts';

const [storeDir] = process.argv.slice(2);
const say = (what: object): boolean => process.stdout.write(`${JSON.stringify(what)}\n`);
try {
  const server = await NatsServer.start(storeDir === undefined ? {} : { storeDir });
  say({ pid: server.pid, token: server.address.token });
  setInterval(() => undefined, 1_000);
} catch (error) {
  say({ tag: tagOf(error), message: error instanceof Error ? error.message : '' });
}
