/**
 * A decoder-only stack: an embedding, layers that a family describes, a final RMSNorm and a head, untied or tied to the
 * embedding. Shape suffixes: see `model.ts`.
 */
import { embedding } from '../../kernels/ops/embedding.ts';
import { gatherRows } from '../../kernels/ops/gather_rows.ts';
import { rmsNorm } from '../../kernels/ops/rms_norm.ts';
import { f32, i32, trace, weight } from '../../kernels/trace.ts';
import type { ModelConfig } from '../config.ts';
import type { TraceSettings } from '../trace_settings.ts';
import { LayerBuilder } from '../layer_builder.ts';
import { batchStreams, type Model, type ModelObjective } from '../model.ts';
import type { Head } from '../objectives/objective.ts';
import { matrix, scale } from '../parameter.ts';
import { linear } from './linear.ts';

/** What a layer makes of the residual stream x_RD: the stream that goes on. */
export type LayerOf = (layer: LayerBuilder, index: number, x_RD: string) => string;

export function decoder(config: ModelConfig, settings: TraceSettings, layerOf: LayerOf): Model {
  const { hidden_size: D, vocab_size: V, tie_word_embeddings: isTied } = config;
  const { batch, sequence } = settings;
  const programs = tracePrograms(config, batch * sequence);
  const ofTokens = { isHidden: false };
  const table_VD = matrix('model.embed_tokens.weight', V, D, ofTokens);
  const norm_D = scale('model.norm.weight', D);
  const lmHead_VD = isTied ? table_VD : matrix('lm_head.weight', V, D, ofTokens);
  const head = settings.objective({ config, batch, sequence, norm_D, lmHead_VD });
  const first = new LayerBuilder('model.embed_tokens');
  const embed = { program: programs.embed, weightsAt: () => ({ table_VD }) };
  let x_RD = first.run(embed, { tokens_R: batchStreams.tokens }).y_RD;
  const layers = Array.from({ length: config.num_hidden_layers }, (_, index) => {
    const layer = new LayerBuilder(`model.layers.${index}`);
    x_RD = layerOf(layer, index, x_RD);
    return layer.build(index);
  });
  const last = new LayerBuilder('lm_head');
  const { program, weights, reads, reports } = head;
  const streams = last.run({ program, weightsAt: () => weights }, { x_RD, ...reads }, { reports });
  return {
    batch,
    sequence,
    stacks: [{ name: 'decoder', layers: [first.build(null), ...layers, last.build(null)], gives: x_RD }],
    objective: placed(head, streams),
    logits: head.isLanguageModel ? { program: programs.logits, weights: { norm_D, head_VD: lmHead_VD } } : null,
  };
}

/** An objective whose outputs are in these streams. */
function placed({ losses, reports, weightsOf }: Head, streams: Readonly<Record<string, string>>): ModelObjective {
  return {
    losses: streams[losses],
    reports: Object.fromEntries(reports.map((name) => [name, streams[name]])),
    weightsOf: (tensors) => new Map(Object.entries(weightsOf(tensors)).map(([name, each]) => [streams[name], each])),
  };
}

function tracePrograms({ hidden_size: D, vocab_size: V, rms_norm_eps: eps }: ModelConfig, R: number) {
  const x_RD = f32([R, D]);
  return {
    embed: trace('embed', { tokens_R: i32([R]), table_VD: weight([V, D]) }, ({ tokens_R, table_VD }) => ({
      y_RD: embedding(table_VD, tokens_R),
    })),
    // One row runs as two: a matmul of a single row has other bits.
    logits: trace('logits', { x_RD, position_2: i32([2]), norm_D: weight([D]), head_VD: weight([V, D]) }, (w) => ({
      logits_2V: linear(rmsNorm(gatherRows(w.x_RD, w.position_2), w.norm_D, eps), w.head_VD),
    })),
  };
}
