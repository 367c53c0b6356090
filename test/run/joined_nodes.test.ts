/**
 * A node that joins a run from a process of its own, and is drained again, changes no bit. The server is one that runs
 * already, as it is where machines are several.
 */
// @module-tag nats-server
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NatsServer } from '../../src/runtime/cluster/nats.ts';
import { eventsOf, RunFolder } from './run_kit.ts';

const folder = new RunFolder();
/** Longer than any machine takes until a process has joined. */
const settings = { 'training.steps': 5000, 'training.eval_interval': 40, 'checkpoint.interval': 40 };
let server: NatsServer;
const left: ChildProcess[] = [];

beforeAll(async () => {
  server = await NatsServer.start();
  process.env.TROUPE_NATS_TOKEN = server.address.token ?? '';
});
afterAll(async () => {
  for (const child of left) child.kill('SIGKILL');
  delete process.env.TROUPE_NATS_TOKEN;
  await server.close();
  folder[Symbol.dispose]();
});

/** A command of the product in a process of its own: what it says, and how it ends. */
function command(...args: string[]) {
  const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
  const child = spawn(
    process.execPath,
    [main, args[0], '--nats', server.address.url, '--cluster', 'small', ...args.slice(1)],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    },
  );
  left.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => (text += part.toString()));
  const ended = once(child, 'close').then(() => ({ code: child.exitCode, text }));
  return { child, ended };
}

it('a node that joins gets roles, another is drained, and the curve is the one of one process', async () => {
  let joined: ReturnType<typeof command> | null = null;
  let drained: ReturnType<typeof command> | null = null;
  const interrupt = new AbortController();
  let placed = 0;
  let last = Infinity;
  const played = await folder.play(
    { ...settings, 'cluster.nats.url': server.address.url },
    {
      signal: interrupt.signal,
      watch: (event) => {
        if (event.kind === 'ready') joined = command('join');
        if (event.kind === 'notice' && event.text.startsWith('going on')) {
          placed += 1;
          if (placed === 1) drained = command('drain', 'node-0');
        }
        if (event.kind !== 'step') return;
        if (placed === 2) last = Math.min(last, event.metrics.step + 5);
        if (event.metrics.step === last) interrupt.abort();
      },
    },
  );
  expect(eventsOf(played.runDir, 'placing').map(({ what }) => what)).toEqual([
    'node-1 joins with 1 worker',
    'node-0 is drained',
  ]);
  expect(eventsOf(played.runDir, 'placed').map(({ systems }) => systems)).toEqual([
    'node-1, node-0.worker-0, node-1.worker-0',
    'node-1.worker-0',
  ]);
  const says = expect.stringMatching(/^node-0: drained in .* on node-1\n$/) as string;
  expect(await drained!.ended).toMatchObject({ code: 0, text: says });
  expect(await joined!.ended).toMatchObject({ code: 0 });

  const enough = new AbortController();
  const alone = await folder.play(settings, {
    signal: enough.signal,
    watch: (event) => {
      if (event.kind === 'step' && event.metrics.step === played.outcome.step) enough.abort();
    },
  });
  const { length } = played.curve;
  expect(length).toBeGreaterThan(10);
  expect(played.curve).toEqual(alone.curve.slice(0, length));
});

it.each([
  [['join', '--cluster', 'nobody'], 1, /^troupe: cluster nobody: no run was started under this name; launch one first/],
  [['drain', 'node-7', '--cluster', 'nobody'], 1, /^troupe: cluster nobody: no run was started under this name/],
  [['join', '--workers', '0'], 2, /--workers.*a whole number, 1 or more/],
])('%j is refused in one line', async (args, code, line) => {
  const ended = await command(...args).ended;
  expect(ended.text).toMatch(line);
  expect(ended).toMatchObject({ code, text: expect.stringMatching(/^[^\n]*\n$/) as string });
});
