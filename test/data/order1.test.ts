/** The order-1 baseline, against counts made by hand. */
import { windowOf } from '../../src/data/text_sequences.ts';
import { describe, expect, it } from 'vitest';
import { BLOCK_TOKENS, Blend, memoryStream, Order1, PackedCorpus } from '../../src/data/index.ts';
import { allOf, constantCorpus, corpusOf, thrownBy } from './scratch.ts';

const alternating = (name: string, count: number, a: number, b: number): PackedCorpus =>
  corpusOf(
    name,
    Uint8Array.from({ length: count }, (_, i) => (i % 2 === 0 ? a : b)),
  );

describe('order-1 model', () => {
  it('predicts by add-one-smoothed pair counts', () => {
    const model = Order1.fit(new Blend([alternating('ab', 101, 1, 2)], [1], 1));
    expect(model.nats(1, 2)).toBeCloseTo(-Math.log(51 / (50 + 256)), 14);
    expect(model.nats(1, 1)).toBeCloseTo(-Math.log(1 / (50 + 256)), 14);
    expect(model.nats(9, 9)).toBeCloseTo(Math.log(256), 14);
  });

  it('is a distribution after every token', () => {
    const model = Order1.fit(new Blend([alternating('ab', 999, 1, 2), constantCorpus('c', 5000, 1)], [0.3, 0.7], 1));
    for (const previous of [0, 1, 2]) {
      let sum = 0;
      for (let next = 0; next < 256; next++) sum += Math.exp(-model.nats(previous, next));
      expect(sum).toBeCloseTo(1, 12);
    }
  });

  it('counts each corpus at its weight, whatever its length', () => {
    // 1 is followed by 2 in `ab` and by 1 in `c`; c is four times as long and weighs a quarter.
    const model = Order1.fit(new Blend([alternating('ab', 1001, 1, 2), constantCorpus('c', 4000, 1)], [0.75, 0.25], 1));
    const total = 5_001;
    const ab = 500 * ((0.75 * total) / 1001);
    const c = 3999 * ((0.25 * total) / 4000);
    expect(model.nats(1, 2)).toBeCloseTo(-Math.log((ab + 1) / (ab + c + 256)), 10);
    expect(model.nats(1, 1)).toBeCloseTo(-Math.log((c + 1) / (ab + c + 256)), 10);
  });

  it('learns nothing from held-out blocks, nor across them', () => {
    const tokens = new Uint8Array(3 * BLOCK_TOKENS).fill(1);
    const empty = corpusOf('docs', tokens, 1e-9);
    const { begin, end } = empty.heldOut[0];
    tokens.fill(2, begin, end);
    const model = Order1.fit(new Blend([corpusOf('docs', tokens, 1e-9)], [1], 1));
    expect(model.nats(2, 2)).toBeCloseTo(Math.log(256), 14);
    // Each run of train blocks has one pair less than tokens.
    const pairs = 2 * BLOCK_TOKENS - empty.train.length;
    expect(model.nats(1, 1)).toBeCloseTo(-Math.log((pairs + 1) / (pairs + 256)), 14);
  });

  it('averages over the targets of all sequences', () => {
    const model = Order1.fit(new Blend([alternating('ab', 101, 1, 2)], [1], 1));
    const windows = [Int32Array.of(1, 2, 1), Int32Array.of(7, 7, 7)];
    const heldOut = { count: 2, at: (n: number) => ({ corpus: 0, sequence: windowOf(windows[n]) }) };
    const expected = (model.nats(1, 2) + model.nats(2, 1) + 2 * model.nats(7, 7)) / 4;
    expect(model.loss(heldOut)).toBeCloseTo(expected, 14);
  });

  it('refuses a vocabulary whose table would not be small', () => {
    const corpus = constantCorpus('c', 100, 1);
    const blend = new Blend(
      [new PackedCorpus({ ...corpus.index, vocabSize: 513 }, memoryStream(allOf(corpus)))],
      [1],
      1,
    );
    expect(thrownBy(() => Order1.fit(blend))).toHaveProperty('tag', 'BadBlend');
  });
});
