/** Models of Hugging Face's checkpoints compute what Hugging Face's classes do: logits, choices, losses, the words that follow. */
import { describe, expect, it } from 'vitest';
import { batchStreams, lastRowsOf, type Mixture } from '../../src/models/model.ts';
import { forward, logitsAt, type Decided } from './forward.ts';
import { goldenOf, modelOfGolden, shapesOf, variantsOf, type GoldenCase } from './golden.ts';

const families = ['llama', 'mixtral', 'olmoe', 'qwen3_moe', 'nemotron', 'mamba'];

describe.each(families.flatMap(variantsOf))('%s', (name) => {
  const golden = goldenOf(name);
  const { config, values, expected } = golden;

  it('has the tensors of the file, name by name and shape by shape', () => {
    expect(shapesOf(modelOfGolden(golden, 1, 4, false))).toEqual(golden.shapes);
  });

  it.each(expected.cases.filter(({ version_dependent }) => version_dependent === undefined))(
    'computes its logits and losses: $name',
    (given) => {
      const { batch, rows, isLive } = batchOf(given);
      const segments = given.name === 'left_padded';
      const model = modelOfGolden(golden, given.input_ids.length, given.input_ids[0].length, segments);
      const routed = new Map<number, Decided>();
      const decided = ({ layer }: Mixture, what: Decided): void => void routed.set(layer, what);
      const streams = forward(model, values, batch, { decided });
      const x_RD = streams[lastRowsOf(model)];
      for (let r = 0; r < rows; r++) {
        if (!isLive(r)) continue;
        const wanted = given.logits.data.slice(r * config.vocab_size, (r + 1) * config.vocab_size);
        expect(farthest(logitsAt(model, values, x_RD, r), wanted)).toBeLessThan(1e-4);
      }
      for (const { layer, topk_index, topk_weight } of given.router ?? []) {
        const { choices_RP, gates_RK } = routed.get(layer)!;
        const k = topk_index[0].length;
        for (let r = 0; r < rows; r++) {
          if (!isLive(r)) continue;
          expect([...choices_RP.subarray(r * k, (r + 1) * k)]).toEqual(topk_index[r]);
          expect(
            farthest(gates_RK.subarray(r * k, (r + 1) * k), topk_weight.data.slice(r * k, (r + 1) * k)),
          ).toBeLessThan(1e-5);
        }
      }
      if (given.labels !== undefined) {
        const losses = Array.from(streams[model.objective.losses]);
        const counted = losses.filter((_, r) => batch[batchStreams.targets][r] >= 0);
        const loss = counted.reduce((sum, each) => sum + each, 0) / counted.length;
        expect(Math.abs(loss - (given.lm_loss ?? given.loss!))).toBeLessThan(1e-5);
      }
      if (given.aux_loss !== undefined) {
        const layers = [...routed.values()];
        expect(Math.abs(balanceOf(layers, config.moe!.num_experts, isLive) - given.aux_loss)).toBeLessThan(1e-5);
      }
    },
  );

  it('goes on with the same words', () => {
    const { prompt_ids, new_tokens } = expected.generation;
    const text = [...prompt_ids];
    const sequence = prompt_ids.length + new_tokens.length;
    const model = modelOfGolden(golden, 1, sequence, false);
    const targets = new Int32Array(sequence).fill(-1);
    while (text.length < sequence) {
      const tokens = Int32Array.from({ length: sequence }, (_, i) => text[i] ?? 0);
      const batch = { [batchStreams.tokens]: tokens, [batchStreams.targets]: targets };
      const x_RD = forward(model, values, batch)[lastRowsOf(model)];
      const logits = logitsAt(model, values, x_RD, text.length - 1);
      text.push(logits.indexOf(Math.max(...logits)));
    }
    expect(text.slice(prompt_ids.length)).toEqual(new_tokens);
  });
});

/** The tensors of a case. Padding on the left is another sample, before the one that counts. */
function batchOf({ input_ids, attention_mask, labels }: GoldenCase) {
  const T = input_ids[0].length;
  const isLive = (r: number): boolean => (attention_mask?.[Math.floor(r / T)][r % T] ?? 1) === 1;
  const rows = input_ids.length * T;
  const begins = input_ids.flatMap((_, s) => {
    const first = attention_mask?.[s].indexOf(1) ?? 0;
    return Array.from({ length: T }, (__, t) => (t < first ? 0 : first));
  });
  const targets = (labels ?? input_ids.map(() => new Array<number>(T).fill(-100))).flatMap((row) =>
    row.map((_, t) => Math.max(row[t + 1] ?? -1, -1)),
  );
  const batch = {
    [batchStreams.tokens]: Int32Array.from(input_ids.flat()),
    [batchStreams.targets]: Int32Array.from(targets),
    [batchStreams.begins]: Int32Array.from(begins),
  };
  return { batch, rows, isLive };
}

/**
 * The balance loss as Hugging Face has it: of the tokens of all layers together, experts × Σ over choices and experts of the share of
 * tokens that chose it × its mean probability.
 */
function balanceOf(layers: readonly Decided[], experts: number, isLive: (row: number) => boolean): number {
  const [chosen, probability] = [new Float64Array(experts), new Float64Array(experts)];
  let tokens = 0;
  for (const { logits_RE, choices_RP } of layers) {
    const rows = logits_RE.length / experts;
    const k = choices_RP.length / rows;
    for (let r = 0; r < rows; r++) {
      if (!isLive(r)) continue;
      tokens++;
      const logits = Array.from(logits_RE.subarray(r * experts, (r + 1) * experts));
      const total = logits.reduce((sum, x) => sum + Math.exp(x), 0);
      logits.forEach((x, e) => (probability[e] += Math.exp(x) / total));
      for (const e of choices_RP.subarray(r * k, (r + 1) * k)) chosen[e]++;
    }
  }
  return experts * chosen.reduce((sum, count, e) => sum + (count / tokens) * (probability[e] / tokens), 0);
}

const farthest = (found: ArrayLike<number>, wanted: readonly number[]): number =>
  wanted.reduce((most, x, i) => Math.max(most, Math.abs(x - found[i])), 0);
