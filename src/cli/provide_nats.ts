/**
 * The program that provides nats-server, for `npm run provide`; with `--ask`, as before `npm run start:nodes`, it asks
 * before it changes the machine. Sets the exit code.
 */
import { agreementTo } from './agreement.ts';
import { NatsProvision } from './nats_provision.ts';
import { Shell } from './shell.ts';

const isToAsk = process.argv.includes('--ask');

process.exitCode = await new NatsProvision({
  shell: new Shell(process.env),
  platform: process.platform,
  say: (line) => console.error(line),
  agree: (question) =>
    isToAsk ? agreementTo(question, { input: process.stdin, output: process.stderr }) : Promise.resolve(true),
}).provide();
