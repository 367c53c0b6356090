/** The program that runs before `npm run start:nodes`: it provides nats-server, and asks first. Sets the exit code. */
import { agreementTo } from './agreement.ts';
import { NatsProvision } from './nats_provision.ts';
import { Shell } from './shell.ts';

process.exitCode = await new NatsProvision({
  shell: new Shell(process.env),
  platform: process.platform,
  say: (line) => console.error(line),
  agree: (question) => agreementTo(question, { input: process.stdin, output: process.stderr }),
}).provide();
