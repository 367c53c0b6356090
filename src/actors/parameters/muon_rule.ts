/**
 * Muon (Jordan et al. 2024) is the update rule of hidden matrices: a matrix moves along its momentum made
 * orthogonal, so that every direction of it moves by as much. Decay and the length of a step are Moonlight's (Liu et al.
 * 2025, arXiv 2502.16982 §2.2), which make learning rate and decay of AdamW fit.
 */
import { add } from '../../kernels/ops/add.ts';
import { mul } from '../../kernels/ops/mul.ts';
import { muon } from '../../kernels/ops/muon.ts';
import { orthogonal } from '../../kernels/ops/orthogonal.ts';
import { slice } from '../../kernels/ops/slice.ts';
import { f32, state, trace } from '../../kernels/trace.ts';
import { once } from './optimizer_programs.ts';
import type { UpdateRule } from './update_rule.ts';

const hyperLength = 5;

/** Of a step, to the root of the mean square of its elements: about what AdamW's is. */
const stepRms = 0.2;

/** Added to the norm of what is made orthogonal. */
const epsilonOfNorm = 1e-7;

export const muonRule: UpdateRule = {
  name: 'muon',
  states: ['momentum'],
  covers: 'parameter',
  hyperLength,
  program: (shape, decay) => {
    const specs = { parameters: state(shape), momentum: state(shape), gradient: f32(shape), hyper: f32([hyperLength]) };
    return once(`muon/${shape.join('x')}/${decay}`, () =>
      trace('muon', specs, ({ parameters, momentum, gradient, hyper }) => {
        const [kept, clip, epsilon] = [1, 3, 4].map((at) => slice(hyper, 0, at, at + 1));
        const clipped = mul(gradient, clip);
        // Nesterov's: where the momentum will be after the next gradient, were it this one.
        const ahead = add(clipped, mul(kept, add(mul(kept, momentum), clipped)));
        // A matrix of orthonormal rows or columns has the mean square 1 / max(rows, columns).
        const scale = stepRms * Math.sqrt(Math.max(...shape));
        muon(parameters, momentum, orthogonal(ahead, epsilon), gradient, hyper, { decay, scale });
        return {};
      }),
    );
  },
  hyper: ({ lr, clip }, { momentum, weight_decay: decay }) => Float32Array.of(lr, momentum, decay, clip, epsilonOfNorm),
};
