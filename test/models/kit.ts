/** What the model tests share: small shapes, all parameters of a model, and weights large enough for every part to count. */
import type { Model, ModelShape } from '../../src/models/model.ts';
import type { Parameter } from '../../src/models/parameter.ts';
import { fillUniform } from '../../src/kernels/random.ts';
import { elements } from '../../src/kernels/shape.ts';
import { matrixOf, type Parameters } from './plain_decoder.ts';

export const tinyShape: ModelShape = {
  architecture: 'switch',
  hidden: 8,
  layers: 4,
  heads: 2,
  ffn: 12,
  vocabulary: 11,
  ropeTheta: 10_000,
  normEps: 1e-6,
  precision: 'f32',
  mixture: { experts: 3, topK: 2, everyNLayers: 2, jitterEps: 0, dispatchDtype: 'fp32', maxCapacity: 8 },
};

/** Every parameter of a model, once. */
export function parametersOf({ steps, mixture }: Model, experts: number): Parameter[] {
  const own = steps.flatMap((step) => (step.kind === 'exchange' ? [] : Object.values(step.weights)));
  const mixed = (mixture?.layers ?? []).flatMap((layer) => [
    ...Object.values(mixture!.router(layer)),
    ...Array.from({ length: experts }, (_, expert) => Object.values(mixture!.expert(layer, expert))).flat(),
  ]);
  return [...own, ...mixed];
}

/** Values of order one over the root of the inputs, norms between 0.5 and 1.5, by parameter name. */
export function valuesOf(parameters: readonly Parameter[], seed: number): Record<string, Float32Array> {
  return Object.fromEntries(
    parameters.map(({ name, shape, init }) => {
      const values = new Float32Array(elements(shape));
      const spread = 2 / Math.sqrt(shape.at(-1)!);
      if (init === 'ones') fillUniform(values, seed, name, 0.5, 1.5);
      else fillUniform(values, seed, name, -spread, spread);
      return [name, values];
    }),
  );
}

/** The same values as rows of numbers. */
export function plainOf(parameters: readonly Parameter[], values: Readonly<Record<string, Float32Array>>): Parameters {
  return Object.fromEntries(parameters.map(({ name, shape }) => [name, matrixOf(values[name], shape.at(-1)!)]));
}
