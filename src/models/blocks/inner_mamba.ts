/**
 * A Mamba layer of which some projections are mixtures of experts (arXiv 2401.04081 §5.2): that to the convolution, to the gate, or
 * back. What is no mixture stays in the blocks around. Shape suffixes: see `model.ts`; C channels.
 */
import { add } from '../../kernels/ops/add.ts';
import { f32 } from '../../kernels/trace.ts';
import type { LayerBuilder } from '../layer_builder.ts';
import type { Projection } from '../layer_pattern.ts';
import { segmentReads } from '../segments.ts';
import type { FeedForward } from '../sublayer.ts';
import { oncePer, tracedBlock, type TracedBlock } from '../traced_block.ts';
import { prefixed, weightsUnder } from '../weights_of.ts';
import { mergeBlock } from './decoder_layer.ts';
import { linear } from './linear.ts';
import { channelsOf, fanIn, mambaCore } from './mamba.ts';
import { mixtureBlock } from './mixture.ts';
import { layerNormOf, normed, normWeights } from './norms.ts';
import type { PatternParts } from './pattern_layer.ts';

export type InnerLayer = (
  layer: LayerBuilder,
  index: number,
  x_RD: string,
  mixtures: ReadonlySet<Projection>,
) => string;

export function innerLayer(parts: Pick<PatternParts, 'config' | 'shape' | 'settings' | 'make'>): InnerLayer {
  const { config, shape, settings, make } = parts;
  const C = channelsOf(config.mamba, shape.hidden);
  const before = oncePer((which: string) => projections(parts, words(which)));
  const core = oncePer((isBack: boolean) => coreBlock(parts, isBack));
  const mixture = oncePer((side: 'in' | 'out') =>
    mixtureBlock({
      shape: side === 'in' ? shape : { ...shape, hidden: C },
      moe: config.moe!,
      settings,
      make,
      feedForward: projection(side === 'in' ? C : shape.hidden),
    }),
  );
  const merge = mergeBlock(parts);
  return (layer, index, x_RD, mixtures) => {
    const own = (['conv', 'gate'] as const).filter((name) => !mixtures.has(name));
    const { h_RD, conv_RC, gate_RC } = layer.run(before(own.join(' ')), { x_RD });
    const handed = (gives: string, name: Projection, side: 'in' | 'out') =>
      layer.hand(gives, (place) => mixture(side).at(place, index), `${name}_proj`);
    const reads = {
      x_RC: mixtures.has('conv') ? handed(h_RD, 'conv', 'in') : conv_RC,
      z_RC: mixtures.has('gate') ? handed(h_RD, 'gate', 'in') : gate_RC,
    };
    if (!mixtures.has('out')) return layer.run(core(true), { ...reads, x_RD }).y_RD;
    const { y_RC } = layer.run(core(false), reads);
    return layer.run(merge, { x_RD, moe_RD: handed(y_RC, 'out', 'out') }).y_RD;
  };
}

const words = (text: string): string[] => text.split(' ').filter((word) => word !== '');

/** An expert that is one matrix. */
const projection = (outputs: number): FeedForward => ({
  weights: ({ hidden }, { matrix }) => ({ w_OD: matrix('weight', outputs, hidden, { init: fanIn(hidden) }) }),
  apply: (h_RD, { w_OD }) => linear(h_RD, w_OD),
});

type Parts = Parameters<typeof innerLayer>[0];

/** x_RD → h_RD where a mixture reads it, and of h those projections to C channels that are no mixtures. */
function projections({ config, shape, settings, make }: Parts, own: readonly string[]): TracedBlock {
  const norm = layerNormOf(config.rms_norm_eps);
  const { hidden: D } = shape;
  const C = channelsOf(config.mamba, D);
  return tracedBlock({
    name: 'inner_in',
    reads: { x_RD: f32([settings.batch * settings.sequence, D]) },
    weightsAt: (place) => ({
      ...normWeights(norm, 'norm', `${place}.norm`, D),
      ...prefixed(
        'mixer',
        place,
        Object.fromEntries(
          own.map((name) => [`${name}_CD`, make.matrix(`mixer.${name}_proj.weight`, C, D, { init: fanIn(D) })]),
        ),
      ),
    }),
    apply: (w) => {
      const h_RD = normed(norm, 'norm', w.x_RD, w);
      return {
        ...(own.length < 2 ? { h_RD } : {}),
        ...Object.fromEntries(own.map((name) => [`${name}_RC`, linear(h_RD, w[`mixer_${name}_CD`])])),
      };
    },
    precision: settings.precision,
  });
}

/** x_RC, z_RC → y_RC, channels before the projection back; or with it, and x_RD, → y_RD. */
function coreBlock({ config, shape, settings, make }: Parts, isBack: boolean): TracedBlock {
  const { batch, sequence } = settings;
  const { hidden: D } = shape;
  const C = channelsOf(config.mamba, D);
  const core = mambaCore(config.mamba);
  const rows = (width: number) => f32([batch * sequence, width]);
  return tracedBlock({
    name: 'inner_core',
    reads: { x_RC: rows(C), z_RC: rows(C), ...(isBack ? { x_RD: rows(D) } : {}), ...segmentReads(settings) },
    weightsAt: (place) =>
      prefixed('mixer', place, {
        ...core.weights(C, make),
        ...(isBack ? { out_DC: make.matrix('mixer.out_proj.weight', D, C, { init: fanIn(C) }) } : {}),
      }),
    apply: (w) => {
      const own = weightsUnder('mixer', w);
      const y_RC = core.apply(w.x_RC, w.z_RC, own, { batch, sequence, begins_R: w.begins_R });
      return isBack ? { y_RD: add(w.x_RD, linear(y_RC, own.out_DC)) } : { y_RC };
    },
    precision: settings.precision,
  });
}
