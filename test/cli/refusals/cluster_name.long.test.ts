/** The name of a cluster belongs to one run at a time: another is refused with a line, and the one that has it goes on. */
// @module-tag nats-server
import { cpSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest';
import { NatsServer } from '../../../src/runtime/cluster/nats.ts';
import { at, folder, launch, prepareFolder } from '../training.ts';
import { expectNothingLeft, onNodes } from './on_nodes.ts';

let server: NatsServer;
beforeAll(async () => {
  prepareFolder();
  launch('earlier', '--steps', '4');
  server = await NatsServer.start();
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('the name of a cluster', () => {
  test('is given to one of two that are launched together, which goes on', async () => {
    const ground = {
      keys: { 'nats.url': server.address.url },
      environment: { TROUPE_NATS_TOKEN: server.address.token },
    };
    const long = ['--set', 'recovery.lease_ms=4000', '--steps', '1000000', '--set', 'checkpoint.interval=1000000'];
    const both = ['one', 'other'].map((runDir) => onNodes(runDir, ground, ...long));
    onTestFailed(() => {
      for (const { stdout, stderr, process } of both) console.error({ exit: process.exitCode, stdout, stderr });
    });
    const loser = await Promise.race(both.map((launched) => launched.ended.then(() => launched)));
    expect(await loser.ended).toBe(1);
    expect(loser.stderr).toEqual([
      expect.stringMatching(/^troupe: cluster tiny: run \S+ is alive under this name; .+/),
    ]);
    const [winner] = both.filter((launched) => launched !== loser);
    await winner.said(/^step /);
    winner.process.kill('SIGINT');
    expect(await winner.ended).toBe(130);
    expect(winner.stderr).toEqual([]);
    for (const launched of both) await expectNothingLeft(launched);
  });

  test('is refused while a run lives under it, which goes on, and is free when that has ended', async () => {
    const ground = {
      keys: { 'nats.url': server.address.url },
      environment: { TROUPE_NATS_TOKEN: server.address.token },
    };
    const lease = ['--set', 'recovery.lease_ms=4000'];
    const endless = ['--steps', '1000000', '--set', 'training.eval_interval=0', '--set', 'checkpoint.interval=1000000'];
    const first = onNodes('first', ground, ...lease, ...endless);
    await first.said(/^step /);

    cpSync(at('earlier'), at('run'), { recursive: true });
    const second = onNodes('run', ground, ...lease, '--resume', '--steps', '4');
    expect(await second.ended).toBe(1);
    expect(second.stderr).toEqual([
      expect.stringMatching(/^troupe: cluster tiny: run \S+ is alive under this name; end it, or set another name .+/),
    ]);
    await expectNothingLeft(second, 'run');

    first.stdout.length = 0;
    await first.said(/^step /);
    first.process.kill('SIGINT');
    expect(await first.ended).toBe(130);
    expect(first.stderr).toEqual([]);
    await expectNothingLeft(first);
    const third = onNodes('third', ground, ...lease, '--steps', '4');
    expect(await third.ended).toBe(0);
    expect(third.stderr).toEqual([]);
  });
});
