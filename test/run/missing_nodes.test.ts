/**
 * Nodes that cannot make up a cluster: those that do not come, and those of another numerics class. The processes do nothing;
 * the test registers in their stead, so that who comes is known.
 */
// @module-tag nats-server
import { runSpecOf } from '../../src/actors/placement/run_spec.ts';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { NodeLife } from '../../src/run/gathering.ts';
import { Run } from '../../src/run/run.ts';
import {
  KvUnavailable,
  NatsConnection,
  NatsKvStore,
  NatsServer,
  Registration,
} from '../../src/runtime/cluster/nats.ts';
import { SystemClock } from '../../src/runtime/index.ts';
import { parseTopology } from '../../src/topology/index.ts';

const yaml = `
name: small
model: { hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 64, max_position_embeddings: 32 }
moe: { num_experts: 4 }
parallelism: { data_parallel: 2, expert_parallel: 2 }
training: { steps: 40, global_batch_size: 8, sequence_length: 32 }
cluster: { nodes: 2, wait: 1 }
data: { blend: [ { name: words, glob: "*.txt" } ] }
`;

let server: NatsServer;
let connection: NatsConnection;
beforeAll(async () => {
  server = await NatsServer.start();
  connection = await NatsConnection.open(server.address, 'test');
});
afterAll(async () => {
  await connection.close();
  await server.close();
});

/** Starts two nodes, of which those in `classes` register and `killed` is ended by force, and returns why that fails and what is left. */
async function refusalOf(
  cluster: string,
  classes: Readonly<Record<string, string>>,
  { killed, unrecorded }: { killed?: string; unrecorded?: string } = {},
) {
  const store = await NatsKvStore.open(connection, cluster);
  const runId = 'run-1';
  const pids: number[] = [];
  const registered: Promise<Registration>[] = [];
  const register = (life: NodeLife, numerics: string): Promise<Registration> => {
    const [device, classHash] = numerics.split('#');
    return Registration.join({
      store,
      clock: new SystemClock(),
      member: { ...life, runId, workers: [{ device, classHash }] },
      beatMs: 60_000,
      onReplaced: () => undefined,
    });
  };
  const start = Run.start({
    runSpec: await runSpecOf({ topology: parseTopology(yaml, 'small.yaml'), baseDir: '.', vocabulary: 256 }),
    batches: { folders: [], weights: [], digest: '', evaluations: {}, tokenBytes: { path: '', tokens: 0, sha256: '' } },
    gen: 1,
    nodes: {
      server: {
        address: server.address,
        own: { storeDir: '', restart: () => undefined, renew: (damage) => Promise.reject(damage) },
        failed: new Promise(() => undefined),
        close: () => server.close(),
      },
      name: cluster,
      runId,
      notice: () => undefined,
      signal: new AbortController().signal,
      entry: new URL('./absent_node.ts', import.meta.url),
      started: ({ node, incarnation }, pid) => {
        pids.push(pid);
        if (node === killed) process.kill(pid, 'SIGKILL');
        if (node === unrecorded) throw new RangeError('a full disk');
        if (node in classes) registered.push(register({ node, incarnation }, classes[node]));
      },
    },
  });
  const error = await start.then(
    () => null,
    (reason: unknown) => reason,
  );
  for (const registration of await Promise.all(registered)) registration.stop();
  return { error, started: pids.length, alive: pids.filter(isAlive), members: await store.list('node') };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const nothing = { started: 2, alive: [], members: [] };

it('a node that does not register within cluster.wait is named, and nothing is left', async () => {
  const { error, ...left } = await refusalOf('late', { 'node-0': 'cpu#a' });
  expect(error).toMatchObject({ tag: 'NodesMissing', exitCode: 1, missing: ['node-1'] });
  expect(String(error)).toMatch(/cluster late: 1 of 2 nodes after \d+ s, missing: node-1; .+ cluster\.wait$/);
  expect(left).toEqual(nothing);
});

it('a node that ends before the run has begun is named, and nothing is said of checkpoints that are not', async () => {
  const { error, ...left } = await refusalOf('killed', {}, { killed: 'node-1' });
  expect(error).toMatchObject({ tag: 'NodeDied', exitCode: 1 });
  expect(String(error)).toMatch(/node-1: ended \(SIGKILL\) before the run began; launch it again$/);
  expect(left).toEqual(nothing);
});

it('a launch that cannot write down that a node was started leaves no process', async () => {
  const { error, ...left } = await refusalOf('full', {}, { unrecorded: 'node-1' });
  expect(String(error)).toBe('RangeError: a full disk');
  expect(left).toEqual(nothing);
});

it('nodes none of which registers are all named', async () => {
  const { error, ...left } = await refusalOf('empty', {});
  expect(error).toMatchObject({ tag: 'NodesMissing', missing: ['node-0', 'node-1'] });
  expect(left).toEqual(nothing);
});

it('nodes of two numerics classes are refused, each with its class, and nothing is left', async () => {
  const { error, ...left } = await refusalOf('mixed', { 'node-0': 'cpu/x64/A/B#a', 'node-1': 'webgpu/vulkan/C/D#b' });
  expect(error).toMatchObject({
    tag: 'ClassesDiffer',
    exitCode: 1,
    message:
      'the nodes round differently (node-0 cpu/x64/A/B#a, node-1 webgpu/vulkan/C/D#b); use machines of one kind, ' +
      'give each its own cluster.device, or set recovery.allow_class_change=true and do without equal bits',
  });
  expect(left).toEqual(nothing);
});

it('a launch asks a store again that does not answer yet', async () => {
  using asked = vi.spyOn(NatsKvStore.prototype, 'createOrGet');
  asked.mockRejectedValueOnce(new KvUnavailable('test', 'timeout'));
  using listed = vi.spyOn(NatsKvStore.prototype, 'list');
  listed.mockRejectedValueOnce(new KvUnavailable('test', 'timeout'));
  const { error } = await refusalOf('later', {});
  expect(error).toMatchObject({ tag: 'NodesMissing' });
});
