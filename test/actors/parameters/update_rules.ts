/**
 * Parameters that both update rules have a part of, held on a device as whoever holds parameters does, and what three updates
 * of them are in plain float64.
 */
import { Bucket } from '../../../src/actors/parameters/bucket.ts';
import { bucketsOf } from '../../../src/actors/parameters/bucket_plan.ts';
import { holdingsOf } from '../../../src/actors/parameters/holding.ts';
import type { Device } from '../../../src/kernels/device.ts';
import { floats } from '../../../src/kernels/dtype.ts';
import { elements } from '../../../src/kernels/shape.ts';
import { matrix, scale, type Parameter } from '../../../src/models/parameter.ts';
import { unit } from '../../../src/runtime/testing/index.ts';
import { matrixOf, plainOrthogonal } from '../../kernels/orthogonal.ts';
import { smallTopology } from '../kit.ts';

const { optimizer } = smallTopology({ 'optimizer.momentum': 0.9 });
const { betas, eps, momentum, weight_decay: decay } = optimizer;
const clip = 0.5;

export const steps = [1, 2, 3];
export const lrOf = (step: number): number => 0.01 * step;

export const wide = matrix('wide', 16, 48);
export const alsoWide = matrix('also wide', 16, 48);
export const tall = matrix('tall', 33, 8);
export const hiddenRow = matrix('row', 1, 48);
export const embedding = matrix('embedding', 20, 16, { isHidden: false });
export const norm = scale('norm', 19);
export const parameters = [embedding, wide, norm, tall, hiddenRow, alsoWide];

/** What an actor holds that shares nothing. */
export const holdings = holdingsOf(Object.fromEntries(parameters.map((parameter) => [parameter.name, parameter])), [
  'it',
]);

const numbersOf = ({ name, shape }: Parameter, purpose: number): Float32Array =>
  Float32Array.from({ length: elements(shape) }, (_, i) => unit(name.length * 7 + purpose, i) - 0.5);

/** Groups of all parameters in a slice of `device`, and one update after another by seeded gradients. */
export async function holderOn(device: Device) {
  const slice = device.slice('test', 2 ** 24);
  const groups: Bucket[] = [];
  for (const plan of bucketsOf(holdings, { name: 'muon' })) groups.push(await Bucket.create(device, slice, plan));
  const stored = () =>
    Object.fromEntries(
      groups.flatMap((bucket) => bucket.plan.parameters.flatMap(({ name }) => Object.entries(bucket.storedOf(name)))),
    );
  for (const each of parameters) device.write(stored()[each.name], numbersOf(each, 0));
  const gradients = groups.map((bucket) => {
    bucket.reserveGradients(1);
    return bucket.takeGradient();
  });
  const hypers = groups.map(({ plan }) => slice.tensor('settings', 'f32', [plan.rule!.hyperLength]));
  return {
    groups,
    stored,
    async update(updateStep: number) {
      for (const [i, group] of groups.entries()) {
        // What lies between tensors is nobody's.
        device.write(gradients[i].flat, new Float32Array(gradients[i].flat.shape[0]).fill(NaN));
        for (const each of group.plan.parameters)
          device.write(gradients[i].views[each.name], numbersOf(each, updateStep));
        device.write(hypers[i], group.plan.rule!.hyper({ lr: lrOf(updateStep), clip, updateStep }, optimizer));
        await group.update(gradients[i], hypers[i]);
      }
    },
    async read() {
      const tensors = Object.entries(stored());
      const data = await Promise.all(tensors.map(([, tensor]) => device.read(tensor)));
      return Object.fromEntries(tensors.map(([name], i) => [name, floats(name, data[i].slice())]));
    },
  };
}

/** A parameter after all steps of AdamW, in float64. */
export function plainAdamw(each: Parameter) {
  const [p, m, v] = [[...numbersOf(each, 0)], ...[0, 1].map(() => new Array<number>(elements(each.shape)).fill(0))];
  for (const t of steps) {
    numbersOf(each, t).forEach((gradient, i) => {
      const g = gradient * clip;
      m[i] = betas[0] * m[i] + (1 - betas[0]) * g;
      v[i] = betas[1] * v[i] + (1 - betas[1]) * g * g;
      const step = m[i] / (1 - betas[0] ** t) / (Math.sqrt(v[i] / (1 - betas[1] ** t)) + eps);
      p[i] -= lrOf(t) * (step + (each.decays ? decay : 0) * p[i]);
    });
  }
  return { '': p, '.exp_avg': m, '.exp_avg_sq': v };
}

/** A matrix after all steps of Muon, in float64. */
export function plainMuon(each: Parameter) {
  const [rows, columns] = each.shape;
  const [p, m] = [[...numbersOf(each, 0)], new Array<number>(rows * columns).fill(0)];
  for (const t of steps) {
    const g = [...numbersOf(each, t)].map((gradient) => gradient * clip);
    g.forEach((gradient, i) => (m[i] = momentum * m[i] + gradient));
    const ahead = g.map((gradient, i) => gradient + momentum * m[i]);
    const direction = plainOrthogonal(matrixOf(ahead, rows, columns), 1e-7).flat();
    direction.forEach((o, i) => (p[i] -= lrOf(t) * (0.2 * Math.sqrt(Math.max(rows, columns)) * o + decay * p[i])));
  }
  return { '': p, '.momentum': m };
}
