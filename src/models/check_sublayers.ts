/**
 * Sublayers of somebody's own are traced alone, to see that rows and width stay, that parameters do not collide, and that a mixer
 * keeps samples of a sequence apart where it must.
 */
import * as ops from '../kernels/ops/index.ts';
import { sameShape, showShape } from '../kernels/shape.ts';
import { f32, type Values } from '../kernels/trace.ts';
import { layerShape, type ModelConfig } from './config.ts';
import type { TraceSettings } from './trace_settings.ts';
import type { Weights } from './model.ts';
import { segmentReads } from './segments.ts';
import type { Sublayers } from './sublayer.ts';
import { tracedBlock } from './traced_block.ts';
import { weightsOf, weightsUnder } from './weights_of.ts';

/**
 * Throws what a sublayer throws, and `TypeError` where its parameters collide, its rows are not as many as it was given, or a mixer
 * does not read the begins that it is given.
 */
export function checkSublayers(config: ModelConfig, settings: TraceSettings, { mixer, feedForward }: Sublayers): void {
  const { batch, sequence } = settings;
  const shape = layerShape(config, 0);
  const check = (name: 'mixer' | 'feedForward', made: (w: Values<string>) => Values<'y_RD'>): void => {
    const weightsAt = (): Weights => weightsOf(name === 'mixer' ? mixer : feedForward, shape, 'w', name);
    checkParameters(name, weightsAt());
    const h_RD = f32([batch * sequence, shape.hidden]);
    const reads = { h_RD, ...(name === 'mixer' ? segmentReads(settings) : {}) };
    const { program } = tracedBlock({ name, reads, weightsAt, apply: made });
    const of = program.outputs[0].value.type.shape;
    if (sameShape(of, h_RD.shape)) return;
    throw new TypeError(`${name} makes ${showShape(of)} of ${showShape(h_RD.shape)}; rows and width must stay`);
  };
  const mixed = (w: Values<string>) => ({ ...shape, batch, sequence, begins_R: w.begins_R });
  check('mixer', (w) => ({ y_RD: mixer.apply(w.h_RD, weightsUnder('w', w), mixed(w), ops) }));
  check('feedForward', (w) => ({ y_RD: feedForward.apply(w.h_RD, weightsUnder('w', w), shape, ops) }));
}

/** Names that the parts of a layer have already, as patterns of what follows the sublayer's own place. */
const taken = { mixer: /^(input_layernorm|post_attention_layernorm|mlp)\./, feedForward: /^(router|experts)\./ };

function checkParameters(sublayer: 'mixer' | 'feedForward', weights: Weights): void {
  const seen = new Set<string>();
  for (const { name: whole, shape } of Object.values(weights)) {
    const name = whole.slice(sublayer.length + 1);
    if (taken[sublayer].test(name))
      throw new TypeError(`${sublayer} calls a parameter ${name}, as another part of a layer does`);
    if (seen.has(name)) throw new TypeError(`${sublayer} has two parameters ${name}`);
    if (shape.length === 2 && Math.min(...shape) < 2) {
      throw new TypeError(`${sublayer}'s ${name} is ${showShape(shape)}; a matrix has at least two rows and columns`);
    }
    seen.add(name);
  }
}
