/** Evaluations of a run by name, on data of their own: when they are made, what they come to, and that training never sees them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bitsOf, eventsOf, RunFolder, type Played } from './run_kit.ts';

const folder = new RunFolder();
afterAll(() => folder[Symbol.dispose]());

const chat = (i: number): string => {
  const [user, assistant] = [`Say ${i}.`, 'yes '.repeat(1 + (i % 4))];
  const messages = [
    { role: 'user', content: user },
    { role: 'assistant', content: assistant },
  ];
  return `${JSON.stringify({ messages })}\n`;
};
const chats = (from: number, count: number): string => Array.from({ length: count }, (_, i) => chat(from + i)).join('');
writeFileSync(join(folder.path, 'chats.jsonl'), chats(0, 60));
writeFileSync(join(folder.path, 'others.jsonl'), chats(100, 13));

const settings = {
  data: { rows: 'chats.jsonl', held_out: 0.2 },
  ...{ 'objective.kind': 'chat', 'training.sequence_length': 64, 'model.max_position_embeddings': 64 },
};
const evaluations = [
  { name: 'others', data: { rows: 'others.jsonl' }, interval: 3 },
  { name: 'sampled', data: { rows: 'others.jsonl' }, sequences: 13 },
  {
    name: 'everything',
    objective: { kind: 'next_token' },
    data: {
      blend: [
        { name: 'words', glob: 'words.txt' },
        { name: 'others', glob: 'others.jsonl', format: 'rows' },
      ],
    },
    sequences: 20,
  },
];

interface Found {
  readonly loss: number;
  readonly bits_per_byte: number;
  readonly losses: Readonly<Record<string, number>>;
}
const found = ({ curve }: Played, step: number) => curve[step - 1].evaluations as Record<string, Found> | undefined;

let plain: Played;
let evaluated: Played;
beforeAll(async () => {
  plain = await folder.play(settings);
  evaluated = await folder.play({ ...settings, evaluations });
});

const withoutEvaluations = ({ curve }: Played): object[] => curve.map(({ evaluations: _evaluations, ...line }) => line);

describe('evaluations of a run', () => {
  it('change nothing that is trained', () => {
    expect(withoutEvaluations(evaluated)).toEqual(withoutEvaluations(plain));
    expect(evaluated.digest).toEqual(plain.digest);
    expect(found(evaluated, 2)?.held_out).toEqual(found(plain, 2)?.held_out);
  });

  it('are made at training.eval_interval or their own, and after the last step, in metrics, events and on the screen', () => {
    const made = [1, 2, 3, 4].map((step) => Object.keys(found(evaluated, step) ?? {}));
    const all = ['held_out', 'others', 'sampled', 'everything'];
    expect(made).toEqual([[], ['held_out', 'sampled', 'everything'], ['others'], all]);
    const named = [2, 3, 4].flatMap((step) => made[step - 1].map((name) => ({ step, name })));
    const events = eventsOf(evaluated.runDir, 'evaluated');
    expect(events.map(({ step, name }) => ({ step, name }))).toEqual(named);
    const seen = evaluated.events.filter((event) => event.kind === 'evaluated');
    expect(seen.map(({ step, name }) => ({ step, name }))).toEqual(named);
  });

  it('score all of their data, or a part that comes to the same where it is all', () => {
    const { others, sampled } = found(evaluated, 4) ?? {};
    expect(others.loss).toBeCloseTo(sampled.loss, 5);
    expect(others.bits_per_byte).toBeGreaterThan(0);
    expect(others.losses).toEqual({});
  });

  it('may have another objective, with the losses of their own corpora', () => {
    const { everything, others } = found(evaluated, 4) ?? {};
    expect(Object.keys(everything.losses).sort()).toEqual([
      ...['bits_per_byte/others', 'bits_per_byte/words', 'loss/others', 'loss/words'],
    ]);
    // Every token of the same rows is predicted, not the assistant's alone.
    expect(everything.losses['loss/others']).not.toBe(others.loss);
  });

  it('are the same bits however the run is spread', async () => {
    const spread = { 'parallelism.data_parallel': 4, 'parallelism.micro_batches': 1, 'cluster.workers_per_node': 2 };
    expect(bitsOf(await folder.play({ ...settings, ...spread, evaluations }))).toEqual(bitsOf(evaluated));
  });

  it('may be others when a run goes on', async () => {
    const begun = await folder.play({ ...settings, 'training.steps': 2 });
    const resumed = await folder.play({ ...settings, evaluations: evaluations.slice(1) }, { resume: begun.runDir });
    expect(resumed.curve.at(-1)?.loss).toBe(plain.curve.at(-1)?.loss);
    expect(resumed.digest).toEqual(plain.digest);
    expect(found(resumed, 4)).toEqual({ ...found(evaluated, 4), others: undefined });
  });
});
