/** What an evaluation scores: all of its data, or so many sequences of it, and a line where that is less than one may think. */
import { describe, expect, it } from 'vitest';
import { evaluatedData } from '../../src/run/evaluated_data.ts';
import { parseTopology } from '../../src/topology/index.ts';
import { corpusOf } from '../data/scratch.ts';

const tokens = (count: number): Uint32Array => Uint32Array.from({ length: count }, (_, i) => i);
const trained = { corpora: [corpusOf('text', tokens(20_000), 0.3)], weights: [1] };

/** An evaluation of two corpora in which every token is its own place, with sequences of 4 tokens. */
function evaluated(sizes: readonly number[], keys = ''): ReturnType<typeof evaluatedData> {
  const blend = sizes.map((_, i) => `{ name: c${i}, glob: x }`).join(', ');
  const topology = parseTopology(
    `training: { sequence_length: 4 }\nevaluations: [ { name: own, data: { blend: [ ${blend} ] } ${keys} } ]`,
    'run.yaml',
  );
  const corpora = sizes.map((size, i) => corpusOf(`c${i}`, tokens(size), 0));
  return evaluatedData(trained, new Map([['own', { corpora, weights: sizes.map(() => 1) }]]), topology);
}

const own = (sizes: readonly number[], keys = '') => evaluated(sizes, keys).get('own')!;

describe('an evaluation', () => {
  it('scores all of its data where it does not say how many sequences, whatever the weights', () => {
    const { names, sequences, remark } = own([23, 10]);
    expect([names, sequences.count, remark]).toEqual([['c0', 'c1'], 6, null]);
    const drawn = Array.from({ length: 6 }, (_, n) => sequences.at(n));
    expect(drawn.map(({ corpus, sequence }) => [corpus, sequence.tokens[0]])).toEqual([
      ...[0, 5, 10, 15].map((begin) => [0, begin]),
      ...[0, 5].map((begin) => [1, begin]),
    ]);
    expect(() => sequences.at(6)).toThrow(RangeError);
  });

  it('scores up to 10,000 of them, and says so', () => {
    expect(own([50_000]).sequences.count).toBe(10_000);
    expect(own([50_000]).remark).toBeNull();
    const { sequences, remark } = own([60_000]);
    expect(sequences.count).toBe(10_000);
    expect(remark).toBe("evaluation 'own' scores 10000 of 12000 sequences; set its sequences for another number");
  });

  it('scores as many as it says, by weight and spread over the data', () => {
    const { sequences, remark } = own([500, 500], ', sequences: 8');
    expect(remark).toBeNull();
    const drawn = Array.from({ length: sequences.count }, (_, n) => sequences.at(n));
    expect(drawn.map(({ corpus }) => corpus)).toEqual([0, 1, 0, 1, 0, 1, 0, 1]);
    expect(drawn.flatMap(({ corpus, sequence }) => (corpus === 0 ? [sequence.tokens[0]] : []))).toEqual([
      60, 185, 310, 435,
    ]);
    const wished = own([500, 10], ', sequences: 8').remark;
    expect(wished).toBe("evaluation 'own' scores 6 of 102 sequences, not 8: by weight it has no more");
  });

  it('is refused without a whole sequence', () => {
    expect(() => own([4])).toThrow(
      "data blend: evaluation 'own' has nothing to score: no text of it has 5 tokens in a row; " +
        'give it more text or shorten training.sequence_length',
    );
  });

  it('is beside what training holds out', () => {
    expect([...evaluated([10]).keys()]).toEqual(['held_out', 'own']);
  });
});
