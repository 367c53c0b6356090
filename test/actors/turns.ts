/** A family whose layers have one of two matrices by turns, x + x · W: weights that stages share and use unlike each other. */
import type { Family } from 'troupe';

export const family: Family = (
  { config, settings },
  { decoder, f32, layerShape, linear, matrix, ops, tracedBlock },
) => {
  const { hidden } = layerShape(config, 0);
  const x_RD = f32([settings.batch * settings.sequence, hidden]);
  const turns = ['t', 's'].map((name) =>
    tracedBlock({
      name,
      reads: { x_RD },
      weightsAt: () => ({ w_DD: matrix(`turns.${name}.weight`, hidden, hidden) }),
      apply: (w) => ({ y_RD: ops.add(w.x_RD, linear(w.x_RD, w.w_DD)) }),
    }),
  );
  return decoder(config, settings, (layer, index, x_RD) => layer.run(turns[index % 2], { x_RD }).y_RD);
};
