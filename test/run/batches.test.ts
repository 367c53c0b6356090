/** Microbatches: inputs and successors cut from windows, and an evaluation that is filled up with rows that ask nothing. */
import { describe, expect, it } from 'vitest';
import { batchesOf as batchesOfCorpora } from '../../src/run/batch_source.ts';
import type { Batches } from '../../src/run/batches.ts';
import { parseTopology } from '../../src/topology/index.ts';
import { Blend, Draws, textSequences, type DrawnSequence } from '../../src/data/index.ts';
import { trainingPass } from '../../src/actors/protocol/pass.ts';
import { batchStreams } from '../../src/models/model.ts';
import { hashU32 } from '../../src/data/hash.ts';
import { corpusOf } from '../data/scratch.ts';

const blend = new Blend(
  [
    corpusOf(
      'text',
      Uint8Array.from({ length: 20_000 }, (_, i) => 1 + (hashU32(i) % 255)),
      0.3,
    ),
  ],
  [1],
  5,
);
const [B, T] = [4, 8];
const tokenBytes = Uint32Array.from({ length: 256 }, (_, id) => id % 5);
const heldOut = blend.heldOut(T, 5);
const windowOf = ({ sequence: { tokens, targets } }: DrawnSequence): number[] => [...tokens, targets[T - 1]];
const { training, parallelism } = parseTopology('{}', 'defaults.yaml');

const batchesOf = (globalMicrobatches: number): Batches =>
  batchesOfCorpora(
    { corpora: blend.corpora, weights: blend.shares, evaluations: new Map(), tokenBytes },
    {
      training: { ...training, global_batch_size: B, sequence_length: T, eval_sequences: 5, seed: 5 },
      parallelism: { ...parallelism, micro_batches: globalMicrobatches },
      evaluations: [],
    },
  );

describe('a microbatch', () => {
  it('of training is its windows, and targets are the tokens that follow', () => {
    const draws = new Draws([textSequences(blend.corpora[0], T, 5)], [1]);
    const windows = [2, 3].map((row) => windowOf(draws.at(6 * B + row)));
    const { tensors, live_R } = batchesOf(2).microbatch({ ...trainingPass(6), microbatch: 1 });
    const { [batchStreams.tokens]: tokens, [batchStreams.targets]: targets } = tensors;
    expect(live_R).toBeNull();
    expect(tokens).toHaveLength(2 * T);
    for (let row = 0; row < 2; row++) {
      const window = windows[row];
      expect([...tokens.subarray(row * T, (row + 1) * T)]).toEqual(window.slice(0, T));
      expect([...targets.subarray(row * T, (row + 1) * T)]).toEqual(window.slice(1));
    }
  });

  it('has the bytes of each target, none where there is no target', () => {
    const pass = { kind: 'score', data: 'held_out', step: 0 } as const;
    const { tensors, bytes_R } = batchesOf(2).microbatch({ ...pass, microbatch: 2 });
    const targets = [...tensors[batchStreams.targets]];
    expect(targets).toContain(-1);
    expect([...(bytes_R ?? [])]).toEqual(targets.map((target) => (target < 0 ? 0 : target % 5)));
  });

  it('of training is the same rows however the batch is cut', () => {
    const rows = (globalMicrobatches: number): number[] =>
      Array.from({ length: globalMicrobatches }, (_, microbatch) => microbatch).flatMap((microbatch) => [
        ...batchesOf(globalMicrobatches).microbatch({ ...trainingPass(2), microbatch }).tensors[batchStreams.tokens],
      ]);
    expect(rows(4)).toEqual(rows(1));
    expect(rows(2)).toEqual(rows(1));
  });

  it('of evaluation is held-out windows, the last one filled up with padding', () => {
    const batches = batchesOf(2);
    expect(heldOut.count).toBe(5);
    expect(batches.evaluations).toEqual([{ name: 'held_out', microbatches: 3 }]);
    const pass = { kind: 'score', data: 'held_out', step: 9 } as const;
    const parts = [0, 1, 2].map((microbatch) => batches.microbatch({ ...pass, microbatch }));
    const targets = parts.flatMap((part) => [...part.tensors[batchStreams.targets]]);
    const expected = Array.from({ length: 5 }, (_, row) => windowOf(heldOut.at(row)).slice(1));
    expect(targets).toEqual([...expected.flat(), ...new Array<number>(T).fill(-1)]);
    expect([...parts[2].tensors[batchStreams.tokens].subarray(T)]).toEqual(new Array<number>(T).fill(0));
    expect(parts.map(({ live_R }) => live_R?.reduce((sum, live) => sum + live, 0))).toEqual([undefined, undefined, T]);
  });
});
