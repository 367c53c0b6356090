/**
 * A run on two nodes from the command line, whatever its end: what it says, its exit code, that no process and no
 * temporary file is left, and that it goes on to the same bits.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bitsOf, long, nothing, onNodes, remainsOf } from './node_runs.ts';
import { pidOf } from './remains.ts';
import { Launched } from './remains.ts';
import { at, checkpointsOf, curveOf, folder, launch, manifestOf, prepareFolder } from './training.ts';

beforeAll(() => {
  prepareFolder();
  launch('whole', ...long);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a run on two nodes', { tags: ['nats-server'] }, () => {
  test('that ends by itself ends with 0, and is the bits of one process', async () => {
    launch('short');
    const launched = onNodes('nodes');
    expect(await launched.ended).toBe(0);
    expect(launched.stderr).toEqual([]);
    expect(bitsOf('nodes')).toEqual(bitsOf('short'));
    expect(await remainsOf(launched)).toEqual(nothing);
  });

  test('counts the bytes of a step by transport', () => {
    const [line] = curveOf('nodes').slice(-1);
    expect(line).toMatchObject({ nodes: 2, workers: 2 });
    const text = readFileSync(at('nodes', 'metrics.jsonl'), 'utf8').trimEnd().split('\n').at(-1) ?? '';
    const { bytes_sent: sent } = JSON.parse(text) as { bytes_sent: Record<string, number> };
    expect(Object.keys(sent).sort()).toEqual(['local', 'nats', 'thread']);
    expect(sent.nats).toBeGreaterThan(0);
  });

  test('that has no room ends with 1 and the verdict of the plan, before anything is started or written', async () => {
    const launched = onNodes('roomless', '--set', 'cluster.memory_per_worker=128KiB');
    expect(await launched.ended).toBe(1);
    expect(launched.stdout).toEqual([]);
    expect(launched.stderr).toEqual([
      expect.stringMatching(
        /^troupe: does not fit on 2 of 2 workers: node-[01]\.worker-0 asks for .+ of a budget of 0\.13 MiB; raise cluster\.memory_per_worker, add workers, or make the model or the microbatch smaller$/,
      ),
    ]);
    expect(existsSync(at('roomless'))).toBe(false);
    expect(await remainsOf(launched)).toEqual(nothing);
  });

  test('whose terminal is closed ends with 130, after a checkpoint, though nobody reads it any more', async () => {
    const launched = onNodes('closed', ...long, '--steps', '100000');
    await launched.said(/^step 20\//);
    launched.process.stdout?.destroy();
    launched.process.stderr?.destroy();
    launched.process.kill('SIGHUP');
    expect(await launched.ended).toBe(130);
    expect(await remainsOf(launched)).toEqual(nothing);
    expect(manifestOf('closed', checkpointsOf('closed').at(-1) ?? '').step).toBe(curveOf('closed').length);
    expect(readdirSync(at('closed'))).not.toContain('lock');
  });

  test('that is interrupted in a step ends with 130 after a checkpoint, and goes on to the same bits', async () => {
    const launched = onNodes('interrupted', ...long);
    await launched.said(/^step 10\//);
    // As a batch system does, which knows no launcher: none of these ends a node, or opens its debugger.
    for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGTERM'] as const) {
      for (const node of ['node-0', 'node-1']) process.kill(pidOf('interrupted', node), signal);
    }
    await launched.said(/^step 20\//);
    launched.process.kill('SIGINT');
    expect(await launched.ended).toBe(130);
    expect(launched.stderr).toEqual([]);
    expect(await remainsOf(launched)).toEqual(nothing);
    const resumed = onNodes('interrupted', ...long, '--resume');
    expect(await resumed.ended).toBe(0);
    expect(bitsOf('interrupted')).toEqual(bitsOf('whole'));
    const last = (runDir: string): string => checkpointsOf(runDir).at(-1) ?? '';
    expect(manifestOf('interrupted', last('interrupted')).extra).toEqual(manifestOf('whole', last('whole')).extra);
    expect(await remainsOf(resumed)).toEqual(nothing);
  });
});

describe('one node', () => {
  test('runs in the launcher where there is no nats-server, and says so in one line', async () => {
    const launched = new Launched(['launch', 'tiny.yaml', '--run-dir', 'without', '--set', 'cluster.nats.url=auto'], {
      PATH: undefined,
    });
    expect(await launched.ended).toBe(0);
    expect(launched.stdout.filter((line) => line.includes('nats-server'))).toHaveLength(1);
  });
});
