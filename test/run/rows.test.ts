/**
 * Runs on rows of data, against plain computations in float64: the loss of chats is over what the assistant says, that of attributes
 * over those that are labelled; and neither depends on how the batch is divided, or on where a run was interrupted.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { trainingPass } from '../../src/actors/protocol/pass.ts';
import { float32Of, openCheckpoint, readTensors } from '../../src/checkpoints/index.ts';
import { BytesTokenizer, CHATML_TOKENS, hashU32 } from '../../src/data/index.ts';
import { batchStreams } from '../../src/models/model.ts';
import { batchesOf } from '../../src/run/batch_source.ts';
import { packedData } from '../../src/run/corpora.ts';
import { parseTopology } from '../../src/topology/index.ts';
import { decode, matrixOf, softmax, type Matrix, type Parameters } from '../models/plain_decoder.ts';
import { bitsOf, RunFolder, type Played, type Settings } from './run_kit.ts';

const folder = new RunFolder();
afterAll(() => folder[Symbol.dispose]());

const T = 64;
const B = 16;
const common: Settings = {
  'model.architecture': 'transformer',
  'model.max_position_embeddings': T,
  moe: undefined,
  'training.sequence_length': T,
  'training.global_batch_size': B,
  'training.steps': 4,
  'optimizer.warmup_steps': 1,
  'parallelism.expert_parallel': 1,
  'data.blend': undefined,
};
const divided = (ranks: number, each: number): Settings => ({
  'parallelism.data_parallel': ranks,
  'parallelism.micro_batches': each,
  'cluster.workers_per_node': Math.min(ranks, 2),
});

const tokenizer = new BytesTokenizer().withSpecials(CHATML_TOKENS);
const [start, end] = CHATML_TOKENS.map((token) => tokenizer.tokenId(token)!);

/** Ids of a text without special tokens. */
const bytesOf = (text: string): number[] => [...Buffer.from(text)];

/** The parameters that a run began with. */
async function parametersOf({ runDir }: Played, width: (shape: readonly number[]) => number): Promise<Parameters> {
  const checkpoint = await openCheckpoint(join(runDir, 'checkpoints', 'step-000000.g1'));
  const names = [...checkpoint.fileOf.keys()].filter((name) => !/\.exp_avg/.test(name));
  const parameters: Record<string, Matrix> = {};
  for await (const tensor of readTensors(checkpoint, names)) {
    parameters[tensor.name] = matrixOf(float32Of(tensor), width(tensor.shape));
  }
  return parameters;
}
const lastOf = (shape: readonly number[]): number => shape[shape.length - 1];

const shape = {
  layers: 2,
  heads: 2,
  theta: 10_000,
  epsilon: 1e-6,
  sequence: T,
  sparse: [],
  rule: { experts: 1, topK: 1, capacity: 0 },
};

/** The first step's batch of a run, as one microbatch. */
async function firstBatch(settings: Settings) {
  const overrides = Object.entries({ ...settings, ...divided(1, 1) }).map(([key, value]) => ({
    path: key.split('.'),
    value,
    source: key,
  }));
  const topology = parseTopology('{}', 'rows.yaml', overrides);
  const options = { topology, baseDir: folder.path, signal: new AbortController().signal, observe: () => undefined };
  const packed = await packedData(options, tokenizer);
  return batchesOf(packed, topology).microbatch({ ...trainingPass(0), microbatch: 0 });
}

describe('chats', () => {
  const settings = { ...common, 'objective.kind': 'chat', 'data.rows': 'chats.jsonl', 'data.held_out': 0.05 };
  const words = ['actor', 'expert', 'router', 'stage'];
  const chats = Array.from({ length: 2000 }, (_, i) => {
    const word = words[hashU32(9, i) % words.length];
    return { question: `${i}: ${word}?`, answer: `${word} `.repeat(1 + (hashU32(8, i) % 4)).trim() };
  });
  let alone: Played;
  beforeAll(async () => {
    const rows = chats.map(({ question, answer }) =>
      JSON.stringify({
        messages: [
          { role: 'user', content: question },
          { role: 'assistant', content: answer },
        ],
      }),
    );
    writeFileSync(join(folder.path, 'chats.jsonl'), rows.join('\n'));
    alone = await folder.play({ ...settings, ...divided(1, 4) });
  });

  it.each([
    [2, 2],
    [4, 1],
  ])('draw the same bits with %i replicas', async (ranks, each) => {
    expect(bitsOf(await folder.play({ ...settings, ...divided(ranks, each) }))).toEqual(bitsOf(alone));
  });

  it('have the loss of their answers alone, as a plain script computes it', async () => {
    const weights = await parametersOf(alone, lastOf);
    const known = new Map(
      chats.map(({ question, answer }) => {
        const asked = [start, ...bytesOf(`user\n${question}`), end, ...bytesOf('\n'), start, ...bytesOf('assistant\n')];
        const tokens = [...asked, ...bytesOf(answer), end, ...bytesOf('\n')];
        const learnt = tokens.map((_, at) => at >= asked.length && at < tokens.length - 1);
        return [tokens.join(), { tokens, learnt }] as const;
      }),
    );
    const { tensors, live_R } = await firstBatch(settings);
    const { [batchStreams.tokens]: tokens_R } = tensors;
    let [sum, count] = [0, 0];
    for (let row = 0; row < B; row++) {
      const length = live_R!.subarray(row * T, (row + 1) * T).reduce((total, live) => total + live, 0);
      const chat = known.get(tokens_R.subarray(row * T, row * T + length).join());
      expect(chat).toBeDefined();
      const { tokens, learnt } = chat!;
      const logits = decode(tokens, { ...shape, sequence: tokens.length }, weights);
      for (let at = 1; at < tokens.length; at++) {
        if (!learnt[at]) continue;
        sum -= Math.log(softmax(logits[at - 1])[tokens[at]]);
        count++;
      }
    }
    const [{ loss }] = alone.curve as readonly { readonly loss: number }[];
    expect(count).toBeLessThan(live_R!.reduce((total, live) => total + live, 0) / 2);
    expect(Math.abs(loss - sum / count)).toBeLessThan(1e-6);
  });

  it('are learnt', () => {
    const curve = alone.curve as readonly { readonly loss: number }[];
    expect(curve.at(-1)!.loss).toBeLessThan(curve[0].loss - 0.1);
  });

  it('with experts leave padding out of what is routed', async () => {
    const sparse = await folder.play({
      ...settings,
      ...divided(2, 1),
      moe: { num_experts: 4, capacity_factor: 1 },
      'model.architecture': 'switch',
      'training.steps': 2,
    });
    const [{ routed, tokens }] = sparse.curve as readonly { readonly routed: number; readonly tokens: number }[];
    const { live_R } = await firstBatch(settings);
    expect(routed).toBe(live_R!.reduce((total, live) => total + live, 0));
    expect(routed).toBeLessThan(tokens);
  });
});

describe('attributes', () => {
  const names = ['helpfulness', 'correctness', 'coherence', 'complexity', 'verbosity'];
  const settings = { ...common, 'objective.kind': 'attributes', 'data.rows': 'rated.jsonl', 'data.held_out': 0.05 };
  const rated = Array.from({ length: 400 }, (_, i) => {
    const good = hashU32(5, i) % 5;
    const labels = names.flatMap((name, a) => (hashU32(6, i, a) % 3 === 0 ? [] : [[name, (good + a) % 5] as const]));
    return { prompt: `${i}?`, response: 'good '.repeat(good), ...Object.fromEntries(labels), coherence: good };
  });
  let alone: Played;
  beforeAll(async () => {
    writeFileSync(join(folder.path, 'rated.jsonl'), rated.map((row) => JSON.stringify(row)).join('\n'));
    alone = await folder.play({ ...settings, ...divided(1, 4) });
  });

  it('draw the same bits with 4 replicas', async () => {
    expect(bitsOf(await folder.play({ ...settings, ...divided(4, 1) }))).toEqual(bitsOf(alone));
  });

  it('have the masked squares of a plain script, in all and each', async () => {
    const weights = await parametersOf(alone, lastOf);
    const { tensors, live_R } = await firstBatch(settings);
    const tokens_R = tensors[batchStreams.tokens];
    const sums = names.map(() => ({ sum: 0, count: 0 }));
    for (let row = 0; row < B; row++) {
      const length = live_R!.subarray(row * T, (row + 1) * T).reduce((total, live) => total + live, 0);
      const tokens = [...tokens_R.subarray(row * T, row * T + length)];
      const number = /(\d+)\?/.exec(tokenizer.decode(tokens))![1];
      const head = { ...weights, 'lm_head.weight': weights['score.weight'] };
      const predicted = decode(tokens, { ...shape, sequence: length }, head)[length - 1];
      for (const [a, name] of names.entries()) {
        const label = (rated[Number(number)] as Record<string, unknown>)[name];
        if (typeof label !== 'number') continue;
        sums[a].sum += (predicted[a] + weights['score.bias'][0][a] - label) ** 2;
        sums[a].count++;
      }
    }
    const total = sums.reduce((all, { sum, count }) => ({ sum: all.sum + sum, count: all.count + count }));
    const [{ loss, losses }] = alone.curve as readonly { loss: number; losses: Record<string, number> }[];
    expect(loss).toBeCloseTo(total.sum / total.count, 5);
    for (const [a, name] of names.entries()) expect(losses[name]).toBeCloseTo(sums[a].sum / sums[a].count, 5);
    expect(total.count).toBeLessThan(B * names.length);
  });

  it('are learnt, and go on after an interrupt to the same bits', async () => {
    const curve = alone.curve as readonly { readonly loss: number }[];
    expect(curve.at(-1)!.loss).toBeLessThan(curve[0].loss / 1.5);
    const interrupt = new AbortController();
    const watch = (event: { kind: string }): void => {
      if (event.kind === 'checkpoint') interrupt.abort();
    };
    const { runDir, outcome } = await folder.play(
      { ...settings, ...divided(2, 2) },
      { signal: interrupt.signal, watch },
    );
    expect(outcome.status).toBe('interrupted');
    const resumed = await folder.play({ ...settings, ...divided(1, 4) }, { resume: runDir });
    expect(bitsOf(resumed)).toEqual(bitsOf(alone));
  });
});
