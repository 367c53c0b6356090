/** What happens inside a model in actors: one set of bits on any mesh, and those of a plain script. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { castOf, holdersOf } from '../../src/actors/placement/cast.ts';
import { runSpecOf } from '../../src/actors/placement/run_spec.ts';
import type { BatchPort } from '../../src/actors/stage/batch_port.ts';
import { loadTokenizer } from '../../src/data/index.ts';
import { batchStreams } from '../../src/models/model.ts';
import { initialValues } from '../../src/models/parameter.ts';
import { batchesOf } from '../../src/run/batch_source.ts';
import { packedData } from '../../src/run/corpora.ts';
import { Observer, type Observed } from '../../src/run/observer.ts';
import { Run } from '../../src/run/run.ts';
import { Scorer } from '../../src/run/scorer.ts';
import { HeapFramePool } from '../../src/runtime/index.ts';
import { heldOutName, type Topology } from '../../src/topology/index.ts';
import { denseTopology, drawn, hashedBatches, smallTopology as sparseTopology, vocabulary } from '../actors/kit.ts';
import { plainOf } from '../models/kit.ts';
import { apply, attendedHeads, rmsNorm, type Matrix } from '../models/plain_decoder.ts';
import { RunFolder, smallTopology } from './run_kit.ts';

const [B, T] = [2, 16];

/** The last five rows of the second sequence of every other microbatch are padding. */
function paddedBatches(topology: Topology): BatchPort {
  const batches = hashedBatches(topology);
  const live_R = new Uint8Array(B * T).fill(1).fill(0, B * T - 5);
  return {
    ...batches,
    microbatch: (unit) => ({ ...batches.microbatch(unit), live_R: unit.microbatch % 2 === 0 ? null : live_R }),
  };
}

async function observe(topology: Topology): Promise<{ observed: Observed[]; leased: number }> {
  const runSpec = await runSpecOf({ topology, baseDir: process.cwd(), vocabulary, observes: true });
  const batches = paddedBatches(topology);
  const pool = new HeapFramePool({ poison: true });
  const run = await Run.start({ runSpec, batches, gen: 1, system: { validate: 'always', pool } });
  try {
    const observed: Observed[] = [];
    for await (const each of new Observer(run, runSpec, batches).observe({ data: 'some', microbatches: 5 })) {
      observed.push(each);
    }
    await run.system.idle();
    return { observed, leased: pool.leased };
  } finally {
    await run.stop();
  }
}

const onMesh = (mesh: Readonly<Record<string, number>>): Topology =>
  sparseTopology(Object.fromEntries(Object.entries(mesh).map(([key, value]) => [`parallelism.${key}`, value])));

describe('what is observed', () => {
  let alone: Awaited<ReturnType<typeof observe>>;
  beforeAll(async () => {
    alone = await observe(onMesh({ micro_batches: 4 }));
  });

  it('has every tap of every layer, and the live rows that it is of', () => {
    expect(alone.observed.map(({ microbatch, live_B }) => [microbatch, ...live_B])).toEqual([
      ...[0, 1, 2, 3, 4].map((i) => [i, T, i % 2 === 0 ? T : T - 5]),
    ]);
    const widths = Object.fromEntries(Object.entries(alone.observed[0].taps).map(([tap, { width }]) => [tap, width]));
    const layer = (index: number, tap: string): string => `model.layers.${index}/0.tap_${tap}`;
    const each = [0, 1, 2, 3].flatMap((index) => [
      [layer(index, 'heads'), 2],
      [layer(index, 'input_layernorm'), 32],
      [layer(index, 'post_attention_layernorm'), 32],
      ...(index % 2 === 0 ? [[layer(index, 'neurons'), 64]] : []),
    ]);
    expect(widths).toEqual(Object.fromEntries(each));
    expect(alone.leased).toBe(0);
  });

  it.each([
    { data_parallel: 2, micro_batches: 2 },
    { data_parallel: 4, micro_batches: 1, expert_parallel: 4 },
    { pipeline_parallel: 2, micro_batches: 4 },
    { pipeline_parallel: 4, data_parallel: 2, expert_parallel: 2, micro_batches: 2 },
  ])('is the same bits with %j', async (mesh) => {
    expect(await observe(onMesh(mesh))).toEqual(alone);
  });
});

it('is what a plain script finds', async () => {
  const topology = denseTopology({ 'parallelism.micro_batches': 4 });
  const { model, training } = topology;
  const { observed } = await observe(topology);
  const parameters = holdersOf(castOf(await drawn(topology))).flatMap(({ share }) =>
    share.holdings.map(({ parameter }) => parameter),
  );
  const values = Object.fromEntries(parameters.map((each) => [each.name, initialValues(each, training.seed)]));
  const weights = plainOf(parameters, values);
  const batches = paddedBatches(topology);
  for (const { microbatch, live_B, taps } of observed) {
    const { tensors } = batches.microbatch({ kind: 'observe', data: 'some', step: 0, microbatch });
    const added = (x: Matrix, y: Matrix): Matrix => x.map((row, r) => row.map((value, c) => value + y[r][c]));
    let x: Matrix = Array.from(tensors[batchStreams.tokens], (token) => weights['model.embed_tokens.weight'][token]);
    for (let layer = 0; layer < 4; layer++) {
      const at = `model.layers.${layer}`;
      const of = (name: string): Matrix => weights[`${at}.${name}.weight`];
      const same = (tap: string, rows: Matrix): void => {
        const { width, sums_BX } = taps[`${at}/0.tap_${tap}`];
        for (const [i, sum] of sums_BX.entries()) {
          const [b, channel] = [Math.floor(i / width), i % width];
          const live = rows.slice(b * T, b * T + live_B[b]);
          const wanted = live.reduce((total, row) => total + Math.abs(row[channel]), 0);
          // Of a sum of 16 sizes of order 0.1.
          expect(Math.abs(sum - wanted)).toBeLessThan(1e-5 * Math.max(wanted, 0.1));
        }
      };
      const normed = (name: string): Matrix => x.map((row) => rmsNorm(row, of(name)[0], model.rms_norm_eps));
      const h = normed('input_layernorm');
      same('input_layernorm', h);
      const heads = [0, T].flatMap((start) =>
        attendedHeads(h.slice(start, start + T), 2, model.rope_theta, at, weights),
      );
      same(
        'heads',
        heads.map((row) => [Math.hypot(...row.slice(0, 16)), Math.hypot(...row.slice(16))]),
      );
      x = added(
        x,
        heads.map((row) => apply(of('self_attn.o_proj'), row)),
      );
      const n = normed('post_attention_layernorm');
      same('post_attention_layernorm', n);
      const neurons = n.map((row) => apply(of('mlp.up_proj'), row).map((value) => Math.max(0, value)));
      same('neurons', neurons);
      x = added(
        x,
        neurons.map((row) => apply(of('mlp.down_proj'), row)),
      );
    }
  }
});

it('is refused by a run that was started without', async () => {
  const topology = denseTopology({ 'model.num_hidden_layers': 1 });
  const runSpec = await drawn(topology);
  const batches = hashedBatches(topology);
  const run = await Run.start({ runSpec, batches, gen: 1 });
  try {
    expect(() => new Observer(run, runSpec, batches)).toThrow(
      'run small was not started to observe; make its run spec with observes: true',
    );
  } finally {
    await run.stop();
  }
});

describe('on worker threads', () => {
  const folder = new RunFolder();
  afterAll(() => folder[Symbol.dispose]());

  it('is the same bits, before and after data is scored', async () => {
    const found: Observed[][] = [];
    for (const workers of [1, 2]) {
      const topology = smallTopology({ 'cluster.workers_per_node': workers });
      const baseDir = folder.path;
      const { signal } = new AbortController();
      const tokenizer = loadTokenizer('bytes', baseDir);
      const packed = await packedData({ topology, baseDir, signal, observe: () => undefined }, tokenizer);
      const runSpec = await runSpecOf({ topology, baseDir, vocabulary: 256, observes: true });
      const batches = batchesOf(packed, topology);
      const run = await Run.start({ runSpec, batches: packed.source, gen: 1 });
      try {
        const data = { data: heldOutName, microbatches: 3 };
        for (let time = 0; time < 2; time++) {
          const observed: Observed[] = [];
          for await (const each of new Observer(run, runSpec, batches).observe(data)) observed.push(each);
          found.push(observed);
          for await (const { samples } of new Scorer(run, runSpec, batches).score(data))
            expect(samples).toHaveLength(2);
        }
      } finally {
        await run.stop();
      }
    }
    for (const each of found) expect(each).toEqual(found[0]);
    expect(found[0]).toHaveLength(3);
  });
});
