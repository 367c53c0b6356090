/**
 * A family for tests: a decoder whose layers have two mixtures each, up to a wider stream and down again, with attention's place
 * taken by one of them: y = x + down(relu(up(norm(x)))).
 */
import type { Family } from '../../src/models/families/family.ts';
import type { FeedForward } from '../../src/models/sublayer.ts';

export const family: Family = ({ config, settings, sublayers: { mixer } }, kit) => {
  const { decoder, f32, layerShape, mixtureBlock, ops, scale, segmentReads, tracedBlock, weightsOf, weightsUnder } =
    kit;
  const { batch, sequence } = settings;
  const shape = layerShape(config, 0);
  const moe = config.moe!;
  const [wide, narrow] = [{ ...shape, hidden: shape.ffn }, shape];
  const rows = (width: number) => f32([batch * sequence, width]);
  const projection = (outputs: number): FeedForward => ({
    weights: ({ hidden }, { matrix }) => ({ w_OD: matrix('proj.weight', outputs, hidden) }),
    apply: (h_RD, { w_OD }) => ops.matmul(h_RD, w_OD, { transposeB: true }),
  });
  const up = mixtureBlock({ shape: narrow, moe, settings, feedForward: projection(wide.hidden) });
  const down = mixtureBlock({
    shape: wide,
    moe: { ...moe, top_k: 2 },
    settings,
    feedForward: projection(narrow.hidden),
  });
  const attention = tracedBlock({
    name: 'attention',
    reads: { x_RD: rows(shape.hidden), ...segmentReads(settings) },
    weightsAt: (place) => ({
      norm_D: scale(`${place}.input_layernorm.weight`, shape.hidden),
      ...weightsOf(mixer, shape, 'mixer', place),
    }),
    apply: ({ x_RD, norm_D, begins_R, ...w }) => {
      const h_RD = ops.rmsNorm(x_RD, norm_D, shape.normEps);
      const mixed = mixer.apply(h_RD, weightsUnder('mixer', w), { ...shape, batch, sequence, begins_R }, ops);
      const y_RD = ops.add(x_RD, mixed);
      return { y_RD, h_RD: ops.rmsNorm(y_RD, norm_D, shape.normEps) };
    },
  });
  const activate = tracedBlock({
    name: 'activate',
    reads: { up_RF: rows(wide.hidden) },
    weightsAt: () => ({}),
    apply: ({ up_RF }) => ({ h_RF: ops.relu(up_RF) }),
  });
  const join = tracedBlock({
    name: 'join',
    reads: { x_RD: rows(shape.hidden), moe_RD: rows(shape.hidden) },
    weightsAt: () => ({}),
    apply: ({ x_RD, moe_RD }) => ({ y_RD: ops.add(x_RD, moe_RD) }),
  });
  return decoder(config, settings, (layer, index, x_RD) => {
    const { y_RD, h_RD } = layer.run(attention, { x_RD });
    const up_RF = layer.hand(h_RD, (place) => up.at(place, index), 'up_proj');
    const { h_RF } = layer.run(activate, { up_RF });
    const moe_RD = layer.hand(h_RF, (place) => down.at(place, index), 'down_proj');
    return layer.run(join, { x_RD: y_RD, moe_RD }).y_RD;
  });
};
