/** Going on with the text that a run began with: which key is named, and what is no difference. */
import { describe, expect, test } from 'vitest';
import { checkCorpora, withWeightsOf } from '../../src/run/data_identity.ts';
import type { Json } from '../../src/checkpoints/index.ts';
import { parseTopology, toPlain, type Topology } from '../../src/topology/index.ts';

const topologyOf = (data: object): Topology => parseTopology(JSON.stringify({ name: 'run', data }), 'run.yaml', []);

/** A checkpoint, as far as it is looked at here, whose corpora had digest `a`. */
function checkpointOf(topology: Topology): Parameters<typeof checkCorpora>[0] {
  const manifest = {
    ...{ version: 2 as const, runId: 'r', gen: 1, step: 1, updateStep: 1, numericsClass: 'c', corpusDigest: 'a' },
    ...{ model: {}, extra: {}, shards: [], topology: JSON.parse(JSON.stringify(toPlain(topology))) as Json },
  };
  return { path: 'runs/r/checkpoints/step-000001.g1', manifest };
}

/** What is said of corpora with digest `b`; the run directory is the topology file's folder. */
function refusal(before: object, now: object): string {
  try {
    checkCorpora(checkpointOf(topologyOf(before)), 'b', { topology: topologyOf(now), baseDir: '/run', runDir: '/run' });
  } catch (error) {
    return error instanceof Error ? error.message.replace('checkpoint runs/r/checkpoints/step-000001.g1: ', '') : '';
  }
  throw new Error('nothing was refused');
}

const corpus = { name: 'a', glob: 'a/*.txt' };
const other = { name: 'b', glob: 'b/*.txt' };

describe('a resume with other corpora names the key', () => {
  test.each([
    ['data.held_out was 0.02 and is 0.1 now', {}, { held_out: 0.1 }],
    ['data.tokenizer was "bytes" and is "hf:t.json" now', {}, { tokenizer: 'hf:t.json' }],
    ['data.blend was 1 corpus and is 2 corpora now', {}, { blend: [corpus, other] }],
    ['data.blend.0.name was "a" and is "c" now', {}, { blend: [{ ...corpus, name: 'c' }] }],
    [
      'data.blend.0.format was "auto" and is "json_strings" now',
      {},
      { blend: [{ ...corpus, format: 'json_strings' }] },
    ],
    [
      'data.blend.0.columns was {} and is {"text":"body"} now',
      {},
      { blend: [{ ...corpus, columns: { text: 'body' } }] },
    ],
    [
      'data.blend.0.max_file_bytes was "1MiB" and is "2MiB" now',
      {},
      { blend: [{ ...corpus, max_file_bytes: '2MiB' }] },
    ],
    ['data.blend.0.glob was "a/*.txt" and is "a/*.md" now', {}, { blend: [{ ...corpus, glob: 'a/*.md' }] }],
    ['data.blend.0.exclude was absent and is "x" now', {}, { blend: [{ ...corpus, exclude: 'x' }] }],
    [
      'data.blend.1.weight was 1 and is 2 now',
      { blend: [corpus, other] },
      { blend: [corpus, { ...other, weight: 2 }] },
    ],
  ])('%s', (said, before, now) => {
    const line = refusal({ blend: [corpus], ...before }, { blend: [corpus], ...now });
    expect(line).toBe(`${said}; resume with what the run began with`);
  });

  test('or the files, where no key differs', () => {
    const data = { blend: [corpus, other] };
    const line = 'the corpora are not those it was trained on; restore the files, or start a new run';
    expect(refusal(data, data)).toBe(line);
    expect(refusal(data, { ...data, cache_dir: 'elsewhere' })).toBe(line);
  });
});

type Weight = number | string;

describe('a weight that changes no share', () => {
  const resumed = (before: Weight[], now: Weight[]): Weight[] => {
    const blend = (weights: Weight[]): object => ({
      blend: [corpus, other].slice(0, weights.length).map((c, i) => ({ ...c, weight: weights[i] })),
    });
    const topology = withWeightsOf(checkpointOf(topologyOf(blend(before))), topologyOf(blend(now)));
    return topology.data.blend.map(({ weight }) => weight);
  };

  test('is what it was when the run began, so that its digest is', () => {
    expect(resumed([1], [2])).toEqual([1]);
    expect(resumed([1, 3], [0.1, 0.3])).toEqual([1, 3]);
    expect(resumed([1, 3], ['25%', '75%'])).toEqual([1, 3]);
  });

  test('is kept where it does', () => {
    expect(resumed([1, 3], [1, 2])).toEqual([1, 2]);
    expect(resumed([1, 3], ['24%', '76%'])).toEqual(['24%', '76%']);
  });
});
