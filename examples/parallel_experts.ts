/**
 * A family of one's own: a decoder whose experts stand beside attention instead of behind it, y = x + attention(h) + experts(h)
 * with h = norm(x). The rows are with the experts while attention runs, so that on several workers it costs nothing to wait for
 * them. A topology uses it by `model: { sublayers: parallel_experts.ts }`, with `moe: { every_n_layers: 1 }`. Only types are
 * imported, so that the file may lie anywhere.
 */
import type { Family } from 'troupe';

export const family: Family = ({ config, settings, sublayers: { mixer, feedForward } }, kit) => {
  const { decoder, f32, layerShape, mixtureBlock, ops, scale, segmentReads, tracedBlock, weightsOf, weightsUnder } =
    kit;
  const { batch, sequence } = settings;
  if (config.moe === null) throw new TypeError('it needs experts: set model.architecture: switch');
  // R rows of D: the tokens of a microbatch, one sequence behind the other.
  const shape = layerShape(config, 0);
  const rows_RD = f32([batch * sequence, shape.hidden]);

  const norm = tracedBlock({
    name: 'norm',
    reads: { x_RD: rows_RD },
    weightsAt: (place) => ({ norm_D: scale(`${place}.input_layernorm.weight`, shape.hidden) }),
    apply: ({ x_RD, norm_D }) => ({ h_RD: ops.rmsNorm(x_RD, norm_D, shape.normEps) }),
  });
  const attention = tracedBlock({
    name: 'attention',
    // Where samples lie one behind the other in a sequence it also reads where each begins.
    reads: { h_RD: rows_RD, ...segmentReads(settings) },
    weightsAt: (place) => weightsOf(mixer, shape, 'mixer', place),
    apply: ({ h_RD, begins_R, ...w }) => ({
      mixed_RD: mixer.apply(h_RD, weightsUnder('mixer', w), { ...shape, batch, sequence, begins_R }, ops),
    }),
    precision: settings.precision,
  });
  const join = tracedBlock({
    name: 'join',
    reads: { x_RD: rows_RD, mixed_RD: rows_RD, moe_RD: rows_RD },
    weightsAt: () => ({}),
    apply: ({ x_RD, mixed_RD, moe_RD }) => ({ y_RD: ops.add(ops.add(x_RD, mixed_RD), moe_RD) }),
  });
  const experts = mixtureBlock({ shape, moe: config.moe, settings, feedForward });

  return decoder(config, settings, (layer, index, x_RD) => {
    const { h_RD } = layer.run(norm, { x_RD });
    const moe_RD = layer.hand(h_RD, (place) => experts.at(place, index));
    const { mixed_RD } = layer.run(attention, { h_RD });
    return layer.run(join, { x_RD, mixed_RD, moe_RD }).y_RD;
  });
};
