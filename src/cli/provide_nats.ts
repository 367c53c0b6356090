/** The program behind `npm start` and `npm test` that provides nats-server. Sets the exit code. */
import { NatsProvision } from './nats_provision.ts';
import { Shell } from './shell.ts';

process.exitCode = new NatsProvision({
  shell: new Shell(process.env),
  platform: process.platform,
  say: (line) => console.error(line),
}).provide();
