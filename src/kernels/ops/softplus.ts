/** y = ln(1 + eˣ), and of it the logarithm of the logistic function: ln sigmoid(x) = −softplus(−x). */
import { softplus as formula } from '../elementary.ts';
import { unary } from '../elementwise.ts';
import type { Value } from '../graph.ts';
import { mul } from './mul.ts';
import { neg } from './neg.ts';
import { sigmoid } from './sigmoid.ts';

export const softplus = unary({ name: 'softplus', formula, gradient: (c, x) => mul(c, sigmoid(x)) });

export const logSigmoid = (x: Value): Value => neg(softplus(neg(x)));
