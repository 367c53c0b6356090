/** The end of a Muon update as a program. */
import { f32, muon, state, trace, type Program } from '../../src/kernels/index.ts';

export function muonUpdate(rows: number, columns: number, decay = true): Program {
  const shape = [rows, columns];
  const specs = { p: state(shape), m: state(shape), o: f32(shape), g: f32(shape), hyper: f32([5]) };
  return trace('update', specs, ({ p, m, o, g, hyper }) => {
    muon(p, m, o, g, hyper, { decay, scale: 1.3 });
    return {};
  });
}
