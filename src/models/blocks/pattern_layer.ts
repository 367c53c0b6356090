/**
 * A layer of a pattern, of one or two blocks on the residual stream. Two stand beside each other on the same rows, y = x + f(norm(x))
 * + g(norm'(x)); a mixture among them goes first, so that its rows are away while the other runs. Shape suffixes: see `model.ts`.
 */
import type { LayerShape, ModelConfig } from '../config.ts';
import type { LayerBuilder } from '../layer_builder.ts';
import type { BlockKind } from '../layer_pattern.ts';
import type { ParameterMakers } from '../parameter.ts';
import type { FeedForward, Mixer } from '../sublayer.ts';
import { oncePer } from '../traced_block.ts';
import type { TraceSettings } from '../trace_settings.ts';
import { mergeBlock } from './decoder_layer.ts';
import { mixtureBlock } from './mixture.ts';
import { layerNormOf } from './norms.ts';
import { normBlock, residualBlock, type Residual, type ResidualParts } from './residual_block.ts';

export interface PatternParts {
  readonly config: ModelConfig;
  readonly shape: LayerShape;
  readonly settings: TraceSettings;
  readonly make: ParameterMakers;
  readonly mixers: { readonly mamba: Mixer; readonly attention: Mixer };
  /** Of `mlp`, and of the experts of `moe`. */
  readonly feedForward: FeedForward;
}

/** Makes layers of these blocks: the stream that goes on. */
export type PatternLayer = (layer: LayerBuilder, index: number, x_RD: string, blocks: readonly BlockKind[]) => string;

export function patternLayer({ config, mixers, feedForward, ...parts }: PatternParts): PatternLayer {
  const norm = layerNormOf(config.rms_norm_eps);
  const named = (normName: string): ResidualParts => ({ ...parts, norm, normName });
  const residuals: Readonly<Record<Exclude<BlockKind, 'moe'>, Residual>> = {
    mamba: { kind: 'mixer', sublayer: mixers.mamba },
    attention: { kind: 'mixer', sublayer: mixers.attention },
    mlp: { kind: 'ffn', sublayer: feedForward, part: 'mlp' },
  };
  const alone = oncePer((kind: Exclude<BlockKind, 'moe'>) => residualBlock(named('norm'), residuals[kind]));
  const beside = oncePer((kind: Exclude<BlockKind, 'moe'>) =>
    residualBlock(named(`${kind}_norm`), residuals[kind], true),
  );
  const mixture = once(() => mixtureBlock({ ...parts, moe: config.moe!, feedForward }));
  const before = oncePer((name: string) => normBlock(named(name)));
  const merge = mergeBlock(parts);
  return (layer, index, x_RD, blocks) => {
    const others = blocks.filter((kind) => kind !== 'moe');
    const isMixed = others.length < blocks.length;
    const moe_RD = isMixed ? handed() : null;
    let y_RD = x_RD;
    for (const [i, kind] of others.entries()) {
      y_RD = i === 0 ? layer.run(alone(kind), { x_RD }).y_RD : layer.run(beside(kind), { x_RD, beside_RD: y_RD }).y_RD;
    }
    return moe_RD === null ? y_RD : layer.run(merge, { x_RD: y_RD, moe_RD }).y_RD;

    function handed(): string {
      const { h_RD } = layer.run(before(others.length === 0 ? 'norm' : 'moe_norm'), { x_RD });
      return layer.hand(h_RD, (place) => mixture().at(place, index), 'moe');
    }
  };
}

/** What `make` makes when it is first asked for: a pattern without mixtures has no routing. */
function once<Made>(make: () => Made): () => Made {
  const known = oncePer((_: null) => make());
  return () => known(null);
}
