/** Node processes: how they end, what is told of it, and that they never outlive their launcher. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { NodeDied, NodeProcess } from '../../../src/runtime/cluster/index.ts';

interface Watched {
  readonly node: NodeProcess;
  readonly lines: string[];
  readonly deaths: NodeDied[];
  /** Resolves with the first line that it writes. */
  readonly spoke: Promise<string>;
}

function start(data: string, entry = './node_stub.ts'): Watched {
  const lines: string[] = [];
  const deaths: NodeDied[] = [];
  const { promise: spoke, resolve } = Promise.withResolvers<string>();
  const node = new NodeProcess({
    name: 'node-1',
    entry: new URL(entry, import.meta.url),
    data,
    onDied: (error) => deaths.push(error),
    onLine: (line) => {
      lines.push(line);
      resolve(line);
    },
  });
  return { node, lines, deaths, spoke };
}

describe('a node process', () => {
  test('gets what it is born with, cleans up when told to stop, and is not reported', async () => {
    const { node, lines, deaths, spoke } = start('live');
    expect(await spoke).toBe('node-1 was told to live');
    node.stop();
    await node.ended;
    expect(lines).toEqual(['node-1 was told to live', 'cleaned up']);
    expect(deaths).toEqual([]);
    expect(node.hasEnded).toBe(true);
  });

  test.runIf(process.platform === 'linux')(
    'that runs out of memory is reported as such, with what to lower',
    async () => {
      const { node, deaths } = start('fill its memory');
      await node.ended;
      expect(deaths.map(({ message }) => message)).toEqual([
        'node-1: ended (SIGABRT); out of memory; lower training.sequence_length or the microbatch (more ' +
          'parallelism.micro_batches), or spread the run over more machines; what was checkpointed is safe, continue with --resume',
      ]);
    },
  );

  test('that is still setting itself up hears that it is to stop', async () => {
    const { node, lines, spoke, deaths } = start('wait to stop');
    await spoke;
    node.stop();
    await node.ended;
    expect(lines.at(-1)).toBe('cleaned up');
    expect(deaths).toEqual([]);
  });

  test('that fails before the run has begun is reported with its own remedy only', async () => {
    const { node, deaths } = start('fail');
    await node.ended;
    const { message } = new NodeDied('node-1', deaths[0].exitReport, 'starting');
    expect(message).toMatch(/^node-1: node-1\.worker-0: hung: .+; end this process and start it again$/);
  });

  test('that fails is reported once, with its reason, last lines and flight record', async () => {
    const { node, deaths } = start('fail');
    await node.ended;
    expect(deaths).toHaveLength(1);
    const [{ message, exitReport }] = deaths;
    expect(message).toBe(
      "node-1: node-1.worker-0: hung: no answer, last message 'open' at run/stage; end this process and start it again; " +
        'what was checkpointed is safe, continue with --resume',
    );
    expect(exitReport).toEqual({
      exitCode: null,
      signal: 'SIGKILL',
      reason: expect.stringContaining('hung') as unknown,
      log: ['node-1 was told to fail', 'warn run/stage slow'],
      flight: [{ address: 'run/stage', message: 'open', id: 4, ms: 17 }],
    });
  });

  test.each([
    ['throw', /^node-1: TypeError: no such luck; what was/],
    ['throw later', /^node-1: RangeError: too late; what was/],
    ['exit', /^node-1: ended \(exit code 7\); its last words: node-1 was told to exit; what was/],
  ])('that does %s is reported', async (data, line) => {
    const { node, deaths } = start(data);
    await node.ended;
    expect(deaths.map(({ message }) => message)).toEqual([expect.stringMatching(line)]);
  });

  test('that dies before it has entered is reported with its error, not with what Node prints after that', async () => {
    const { node, deaths } = start('live', './dead_stub.ts');
    await node.ended;
    expect(deaths.map(({ message }) => message)).toEqual([
      'node-1: ended (exit code 1); its last words: TypeError: no native module for this machine; ' +
        'what was checkpointed is safe, continue with --resume',
    ]);
  });

  test('that is killed is reported with the signal', async () => {
    const { node, deaths, spoke } = start('live');
    await spoke;
    process.kill(node.pid ?? 0, 'SIGKILL');
    await node.ended;
    expect(deaths.map(({ exitReport }) => exitReport.signal)).toEqual(['SIGKILL']);
  });

  test('ends when its launcher is killed', async () => {
    const launcher = fork(path.join(import.meta.dirname, 'node_launcher.ts'));
    const [pid] = (await once(launcher, 'message')) as [number];
    expect(isAlive(pid)).toBe(true);
    launcher.kill('SIGKILL');
    while (isAlive(pid)) await pause(5);
  });
});

/** A process that has ended and is not reaped yet is not alive. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || existsSync(`/proc/${pid}/exe`);
  } catch {
    return false;
  }
}
