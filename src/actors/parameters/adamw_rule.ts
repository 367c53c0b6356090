/**
 * AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101) is the update rule of all but hidden matrices, and of these by
 * default: it changes each element by two moments of its own gradient, so that a whole arena is one vector to it.
 */
import { adamw } from '../../kernels/ops/adamw.ts';
import { f32, state, trace } from '../../kernels/trace.ts';
import { once } from './optimizer_programs.ts';
import type { UpdateRule } from './update_rule.ts';

const hyperLength = 8;

const programOf =
  (hasGradient: boolean): UpdateRule['program'] =>
  (shape, decay) => {
    const moments = { parameters: state(shape), exp_avg: state(shape), exp_avg_sq: state(shape) };
    const hyper = f32([hyperLength]);
    return once(`adamw rule/${shape.join('x')}/${decay}/${hasGradient}`, () =>
      hasGradient
        ? trace('adamw', { ...moments, gradient: f32(shape), hyper }, (w) => {
            adamw(w.parameters, w.exp_avg, w.exp_avg_sq, w.gradient, w.hyper, { decay });
            return {};
          })
        : trace('adamw_of_none', { ...moments, hyper }, (w) => {
            adamw(w.parameters, w.exp_avg, w.exp_avg_sq, null, w.hyper, { decay });
            return {};
          }),
    );
  };

export const adamwRule: UpdateRule = {
  name: 'adamw',
  states: ['exp_avg', 'exp_avg_sq'],
  covers: 'arena',
  hyperLength,
  program: programOf(true),
  programOfNone: programOf(false),
  hyper: ({ lr, clip, updateStep }, { betas: [beta1, beta2], eps, weight_decay: decay }) =>
    Float32Array.of(lr, beta1, beta2, eps, decay, 1 - beta1 ** updateStep, 1 - beta2 ** updateStep, clip),
};
