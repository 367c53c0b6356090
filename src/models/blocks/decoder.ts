/**
 * A decoder-only stack: an embedding, layers that a family describes, a final norm and a head, untied or tied to the
 * embedding. Shape suffixes: see `model.ts`.
 */
import { embedding } from '../../kernels/ops/embedding.ts';
import { gatherRows } from '../../kernels/ops/gather_rows.ts';
import type { Value } from '../../kernels/graph.ts';
import type { Program } from '../../kernels/program.ts';
import { f32, i32, trace, weight, type Values } from '../../kernels/trace.ts';
import type { ModelConfig } from '../config.ts';
import type { TraceSettings } from '../trace_settings.ts';
import { LayerBuilder } from '../layer_builder.ts';
import { batchStreams, type Model, type ModelObjective } from '../model.ts';
import type { Head, HeadParts } from '../objectives/objective.ts';
import { usualMakers, type ParameterMakers } from '../parameter.ts';
import { specsOf } from '../traced_block.ts';
import { linear } from './linear.ts';
import { normed, normWeights, rmsNormOf, type Norm } from './norms.ts';

/** What a layer makes of the residual stream x_RD: the stream that goes on. */
export type LayerOf = (layer: LayerBuilder, index: number, x_RD: string) => string;

/** What the ends of a decoder are, where they are not the usual: the names of Llama and its kin, RMSNorm, truncated normals. */
export interface DecoderEnds {
  /** What stands before the head. */
  readonly norm?: Norm;
  readonly make?: ParameterMakers;
  readonly names?: { readonly embedding: string; readonly layers: string; readonly norm: string };
}

const usualNames = { embedding: 'model.embed_tokens', layers: 'model.layers', norm: 'model.norm' };

export function decoder(
  config: ModelConfig,
  settings: TraceSettings,
  layerOf: LayerOf,
  { norm = rmsNormOf(config.rms_norm_eps), make = usualMakers, names = usualNames }: DecoderEnds = {},
): Model {
  const { hidden_size: D, vocab_size: V, tie_word_embeddings: isTied } = config;
  const { batch, sequence } = settings;
  const ofTokens = { isHidden: false };
  const table_VD = make.matrix(`${names.embedding}.weight`, V, D, ofTokens);
  const lmHead_VD = isTied ? table_VD : make.matrix('lm_head.weight', V, D, ofTokens);
  const norms = normWeights(norm, 'norm', names.norm, D);
  const finalNorm = { weights: norms, apply: (x_RD: Value, w: Values<string>) => normed(norm, 'norm', x_RD, w) };
  const head = settings.objective({ config, batch, sequence, norm: finalNorm, lmHead_VD });
  const first = new LayerBuilder(names.embedding);
  const embed = { program: embedProgram(config, batch * sequence), weightsAt: () => ({ table_VD }) };
  let x_RD = first.run(embed, { tokens_R: batchStreams.tokens }).y_RD;
  const layers = Array.from({ length: config.num_hidden_layers }, (_, index) => {
    const layer = new LayerBuilder(`${names.layers}.${index}`);
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
    logits: head.isLanguageModel
      ? {
          program: logitsProgram(config, batch * sequence, finalNorm),
          weights: { ...norms, head_VD: lmHead_VD },
        }
      : null,
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

function embedProgram({ hidden_size: D, vocab_size: V }: ModelConfig, R: number): Program {
  return trace('embed', { tokens_R: i32([R]), table_VD: weight([V, D]) }, ({ tokens_R, table_VD }) => ({
    y_RD: embedding(table_VD, tokens_R),
  }));
}

function logitsProgram({ hidden_size: D, vocab_size: V }: ModelConfig, R: number, norm: HeadParts['norm']): Program {
  const specs = { x_RD: f32([R, D]), position_2: i32([2]), ...specsOf(norm.weights), head_VD: weight([V, D]) };
  // One row runs as two: a matmul of a single row has other bits.
  return trace('logits', specs, (w: Values<string>) => ({
    logits_2V: linear(norm.apply(gatherRows(w.x_RD, w.position_2), w), w.head_VD),
  }));
}
