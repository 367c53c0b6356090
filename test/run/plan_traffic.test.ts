/** The plan's traffic against the run that it is of: the bytes of tensors that its actors send each other in a step. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { runSpecOf } from '../../src/actors/placement/run_spec.ts';
import { castOf } from '../../src/actors/placement/cast.ts';
import { planRun, type Plan } from '../../src/run/plan.ts';
import { train } from '../../src/run/train.ts';
import { elements } from '../../src/kernels/shape.ts';
import { isTensor, type DeliveryFilter, type Envelope } from '../../src/runtime/index.ts';
import type { Topology, Worker } from '../../src/topology/index.ts';
import { denseTopology, drawn, play, smallTopology, wide } from '../actors/kit.ts';
import { RunFolder } from './run_kit.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-plan-traffic-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const nameOf = ({ node, worker }: Worker): string => `${node}.${worker}`;

/** Causes of traffic by the message that carries it. */
const causes: Readonly<Record<string, 'dispatch' | 'handOver' | 'pipeline' | 'allReduce'>> = {
  dispatch: 'dispatch',
  outputs: 'dispatch',
  outputsGradient: 'dispatch',
  rowsGradient: 'dispatch',
  route: 'handOver',
  combineGradient: 'handOver',
  stream: 'pipeline',
  streamGradient: 'pipeline',
  block: 'allReduce',
  sum: 'allReduce',
};

const lentSchema = z.object({ lease: z.int(), shape: z.array(z.int()) });

interface Counted {
  messages: number;
  dispatch: number;
  handOver: number;
  pipeline: number;
  allReduce: number;
}

/** Counts the tensors that actors send or lend, as if each lived on the worker where the plan has it. */
class TensorCount implements DeliveryFilter {
  readonly links = new Map<string, Counted>();
  private readonly workers: ReadonlyMap<string, string>;
  /** Of an element. */
  private readonly dispatchBytes: number;

  constructor({ runSpec, workers }: Plan) {
    this.dispatchBytes = runSpec.topology.moe?.dispatch_dtype === 'fp32' ? 4 : 2;
    const byRole = new Map(workers.flatMap(({ roles, worker }) => roles.map((role) => [role, nameOf(worker)])));
    this.workers = new Map(castOf(runSpec).map(({ address, role }) => [address, byRole.get(role)!]));
  }

  judge({ route, args }: Envelope): null {
    // A stream is of a router, or of another stage.
    const cause =
      route.from.startsWith('run/router') && route.message.startsWith('stream') ? 'handOver' : causes[route.message];
    if (route.kind !== 'tell' || cause === undefined) return null;
    const key = `${this.workers.get(route.from)} ${this.workers.get(route.to)}`;
    const link = this.links.get(key) ?? { messages: 0, dispatch: 0, handOver: 0, pipeline: 0, allReduce: 0 };
    link.messages++;
    for (const value of Object.values(args ?? {})) {
      if (isTensor(value)) link[cause] += value.data.byteLength;
      const lent = lentSchema.safeParse(value);
      if (lent.success) link[cause] += elements(lent.data.shape) * (cause === 'dispatch' ? this.dispatchBytes : 4);
    }
    this.links.set(key, link);
    return null;
  }
}

const steps = 2;

/** A plan, and what was sent in one of the steps of the run. */
async function sentBy(topology: Topology, name: string): Promise<{ plan: Plan; sent: Map<string, Counted> }> {
  const plan = await planRun(await drawn(topology));
  const count = new TensorCount(plan);
  await play(topology, { directory: join(root, name), system: { filter: count } });
  const each = (value: Counted): Counted => ({
    messages: value.messages / steps,
    dispatch: value.dispatch / steps,
    handOver: value.handOver / steps,
    pipeline: value.pipeline / steps,
    allReduce: value.allReduce / steps,
  });
  return { plan, sent: new Map([...count.links].map(([key, value]) => [key, each(value)])) };
}

const training = { 'training.steps': steps, 'training.eval_interval': 0 };
const everyExpert = { 'moe.top_k': 4, 'moe.capacity_factor': 1 };

describe('the traffic of a step', () => {
  const cases: Readonly<Record<string, Topology>> = {
    'two nodes': smallTopology({ ...wide, ...training, ...everyExpert }),
    'fp32 dispatch': smallTopology({ ...wide, ...training, ...everyExpert, 'moe.dispatch_dtype': 'fp32' }),
    'a head that is the embedding': smallTopology({
      ...wide,
      ...training,
      ...everyExpert,
      'model.tie_word_embeddings': true,
    }),
    'one worker': smallTopology({ ...training, ...everyExpert, 'parallelism.micro_batches': 4 }),
    'replicas whose blocks are uneven': smallTopology({
      ...training,
      ...everyExpert,
      'training.global_batch_size': 18,
      'parallelism.data_parallel': 3,
      'parallelism.micro_batches': 3,
      'cluster.nodes': 3,
    }),
    'a dense pipeline': denseTopology({
      ...training,
      'parallelism.pipeline_parallel': 4,
      'parallelism.data_parallel': 2,
      'parallelism.micro_batches': 4,
      'cluster.nodes': 2,
      'cluster.workers_per_node': 3,
    }),
  };

  it.each(Object.keys(cases))('is sent to the byte, where every token visits every expert: %s', async (name) => {
    const { plan, sent } = await sentBy(cases[name], name);
    const planned = plan.traffic.links.map((link) => {
      const { messages, handOver, pipeline, allReduce } = link;
      expect(link.dispatchEven).toBe(link.dispatchMost);
      const counted = { messages, dispatch: link.dispatchMost, handOver, pipeline, allReduce };
      return [`${nameOf(link.from)} ${nameOf(link.to)}`, counted] as const;
    });
    expect(Object.fromEntries(sent)).toEqual(Object.fromEntries(planned));
  });

  it.each([
    ['top-1', 1, 1.25],
    ['top-2', 2, 1],
    ['a capacity that leaves most tokens behind', 1, 0.25],
  ])('is at most what capacity allows, on every link and transport: %s', async (name, topK, factor) => {
    const moe = { 'moe.top_k': topK, 'moe.capacity_factor': factor, 'moe.min_capacity': 1 };
    const { plan, sent } = await sentBy(smallTopology({ ...wide, ...training, ...moe }), name);
    const byTransport = { local: 0, thread: 0, nats: 0 };
    for (const link of plan.traffic.links) {
      const { dispatch, handOver, pipeline, allReduce } = sent.get(`${nameOf(link.from)} ${nameOf(link.to)}`)!;
      expect({ handOver, pipeline, allReduce }).toEqual({
        handOver: link.handOver,
        pipeline: link.pipeline,
        allReduce: link.allReduce,
      });
      expect(dispatch).toBeLessThanOrEqual(link.dispatchMost);
      byTransport[link.transport] += dispatch;
    }
    for (const [transport, bytes] of Object.entries(byTransport)) {
      expect(bytes).toBeLessThanOrEqual(
        Object.entries(plan.traffic.byTransport).find(([other]) => other === transport)![1].dispatchMost,
      );
    }
  });
});

const metricsSchema = z.object({ bytes_sent: z.record(z.string(), z.number()) });

it('is what the threads of a run count, but for headers and control messages', async () => {
  using folder = new RunFolder();
  const topology = smallTopology({
    ...training,
    ...everyExpert,
    'cluster.workers_per_node': 2,
    'cluster.nats.url': 'none',
    'parallelism.data_parallel': 2,
    'parallelism.expert_parallel': 2,
    'data.blend': [{ name: 'words', glob: '*.txt' }],
    'data.held_out': 0.2,
  });
  const { signal } = new AbortController();
  const options = { baseDir: folder.path, runDir: join(folder.path, 'run'), resume: false, signal };
  mkdirSync(options.runDir);
  await train({ ...options, topology, observe: () => undefined });

  const { byTransport } = (await planRun(await runSpecOf({ topology, baseDir: folder.path, vocabulary: 256 }))).traffic;
  const lines = readFileSync(join(options.runDir, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
  expect(lines).toHaveLength(steps);
  for (const line of lines) {
    const { bytes_sent } = metricsSchema.parse(JSON.parse(line));
    expect(bytes_sent.nats ?? 0).toBe(0);
    for (const transport of ['local', 'thread'] as const) {
      const { messages, dispatchMost, handOver, pipeline, allReduce } = byTransport[transport];
      // Within a worker they are lent.
      const rows = transport === 'local' ? 0 : dispatchMost + handOver;
      const excess = bytes_sent[transport] - (rows + pipeline + allReduce);
      expect(excess).toBeGreaterThan(0);
      expect(excess / messages).toBeLessThan(2048);
    }
  }
});
