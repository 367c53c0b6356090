/**
 * AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101) is the update rule of all but hidden matrices, and of these by
 * default: it changes each element by two moments of its own gradient, so that a whole arena is one vector to it.
 */
import { adamw } from '../../kernels/ops/adamw.ts';
import { f32, state, trace } from '../../kernels/trace.ts';
import { once } from './optimizer_programs.ts';
import type { UpdateRule } from './update_rule.ts';

const hyperLength = 8;

export const adamwRule: UpdateRule = {
  name: 'adamw',
  states: ['exp_avg', 'exp_avg_sq'],
  covers: 'arena',
  hyperLength,
  program: (shape, decay) => {
    const specs = {
      parameters: state(shape),
      exp_avg: state(shape),
      exp_avg_sq: state(shape),
      gradient: f32(shape),
      hyper: f32([hyperLength]),
    };
    return once(`adamw rule/${shape.join('x')}/${decay}`, () =>
      trace('adamw', specs, ({ parameters, exp_avg, exp_avg_sq, gradient, hyper }) => {
        adamw(parameters, exp_avg, exp_avg_sq, gradient, hyper, { decay });
        return {};
      }),
    );
  },
  hyper: ({ lr, clip, updateStep }, { betas: [beta1, beta2], eps, weight_decay: decay }) =>
    Float32Array.of(lr, beta1, beta2, eps, decay, 1 - beta1 ** updateStep, 1 - beta2 ** updateStep, clip),
};
