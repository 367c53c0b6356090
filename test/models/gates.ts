/**
 * Gates and auxiliary losses of a router in float64, straight from their definitions, and a microbatch to try them on: some
 * rows are padding, whose logits are none, some experts take nothing, and the last group of rows is not whole.
 */
import { vjp, type Device } from '../../src/kernels/index.ts';
import { gatePrograms, type GateRule } from '../../src/models/blocks/gate_programs.ts';
import { onDevice } from '../kernels/kit.ts';

export const usualRule: GateRule = {
  experts: 8,
  topK: 2,
  choices: 2,
  scoreFunc: 'softmax',
  scoreOrder: 'pre_softmax',
  routeNorm: false,
  routeScale: 1,
  isBiased: false,
  groups: 1,
  limitedGroups: 1,
  auxGroups: 1,
};

const rowsAtMost = 12;
const rows = 9;
const coefficients = { aux: 0.02, z: 0.001 };
const cotangents = { aux: 0.7, z: -1.3 };

export const someRules: readonly GateRule[] = (['softmax', 'sigmoid'] as const).flatMap((scoreFunc) =>
  (['pre_softmax', 'topk_softmax'] as const).flatMap((scoreOrder) =>
    [false, true].flatMap((routeNorm) =>
      [1, 2, 3, 4].flatMap((topK) =>
        [1, 3].map((auxGroups): GateRule => {
          const routeScale = topK === 3 ? 2.5 : 1;
          return { ...usualRule, scoreFunc, scoreOrder, routeNorm, topK, auxGroups, routeScale };
        }),
      ),
    ),
  ),
);

export const titleOf = ({ scoreFunc, scoreOrder, routeNorm, topK, auxGroups }: GateRule): string =>
  `${scoreFunc}, ${scoreOrder}, ${routeNorm ? 'normalised' : 'plain'}, ${topK} of 8, ${auxGroups} groups`;

interface Microbatch {
  readonly logits_RE: Float32Array;
  readonly taken_RK: Int32Array;
  readonly live_R1: Float32Array;
  readonly load_GE: Float32Array;
  readonly z_weight_1: Float32Array;
}

export function microbatch({ experts: E, topK: K, auxGroups: G }: GateRule): Microbatch {
  const live_R1 = Float32Array.from({ length: rowsAtMost }, (_, r) => Number(r !== 2 && r !== 7));
  const logits_RE = Float32Array.from({ length: rowsAtMost * E }, (_, i) =>
    live_R1[Math.floor(i / E)] === 0 ? NaN : Math.sin(i * i + 1) * 3,
  );
  const taken_RK = new Int32Array(rowsAtMost * K).fill(-1);
  const load_GE = new Float32Array(G * E);
  const run = rowsAtMost / G;
  for (let r = 0; r < rows; r++) {
    if (live_R1[r] === 0) continue;
    const row = logits_RE.subarray(r * E, (r + 1) * E);
    const best = [...row.keys()].sort((a, b) => row[b] - row[a]).slice(0, K);
    const group = Math.floor(r / run);
    load_GE[group * E + best[0]] += (coefficients.aux * E) / (run * run * G);
    // A row of which nothing is left, and one that lost its first choice.
    best.forEach((e, k) => (taken_RK[r * K + k] = r === 4 || (r === 5 && k === 0) ? -1 : e));
  }
  return { logits_RE, taken_RK, live_R1, load_GE, z_weight_1: Float32Array.of(coefficients.z / rows) };
}

const sum = (xs: readonly number[]): number => xs.reduce((total, x) => total + x, 0);

interface Losses {
  readonly gates: readonly number[];
  readonly aux: number;
  readonly z: number;
}

/** By definition, in float64. */
function plain(rule: GateRule, batch: Microbatch, logits_RE: ArrayLike<number>): Losses {
  const { experts: E, topK: K, auxGroups: G } = rule;
  const gates = new Array<number>(rows * K).fill(0);
  let [aux, z] = [0, 0];
  for (let r = 0; r < rows; r++) {
    if (batch.live_R1[r] === 0) continue;
    const row = Array.from({ length: E }, (_, e) => logits_RE[r * E + e]);
    const exponentials = row.map(Math.exp);
    const scores =
      rule.scoreFunc === 'softmax'
        ? exponentials.map((e) => e / sum(exponentials))
        : row.map((x) => 1 / (1 + Math.exp(-x)));
    const group = Math.floor(r / (rowsAtMost / G));
    aux += sum(scores.map((score, e) => (batch.load_GE[group * E + e] * score) / sum(scores)));
    z += batch.z_weight_1[0] * Math.log(sum(exponentials)) ** 2;
    const taken = Array.from(batch.taken_RK.subarray(r * K, (r + 1) * K), (e, k) => ({ e, k })).filter(
      ({ e }) => e >= 0,
    );
    const all = sum(taken.map(({ e }) => exponentials[e]));
    const raw = taken.map(({ e }) => (rule.scoreOrder === 'pre_softmax' ? scores[e] : exponentials[e] / all));
    const norm = rule.routeNorm ? sum(raw) : 1;
    taken.forEach(({ k }, i) => (gates[r * K + k] = (raw[i] / norm) * rule.routeScale));
  }
  return { gates, aux, z };
}

const dGates = (i: number): number => Math.fround(Math.cos(i * 3 + 1));

/** Gates, losses and d_logits: of a device, and of the definitions and their central differences. */
export async function bothWays(device: Device, rule: GateRule) {
  const batch = microbatch(rule);
  const { experts: E, topK: K } = rule;
  const { forward, backward } = vjp(gatePrograms(rule, rowsAtMost).gates, { wrt: ['logits_RE'] });
  const run = onDevice(device);
  const live = { tokens: rows };
  const inputs = { ...batch };
  const made = await run(forward, inputs, live);
  const residuals = Object.fromEntries(
    Object.entries(made).map(([name, data]) => {
      const room = new Float32Array((data.length / rows) * rowsAtMost);
      room.set(data);
      return [name, room];
    }),
  );
  const { d_logits_RE } = await run(
    backward,
    {
      ...residuals,
      ...inputs,
      d_gates_RK: Float32Array.from({ length: rowsAtMost * K }, (_, i) => dGates(i)),
      d_aux_1: Float32Array.of(cotangents.aux),
      d_z_1: Float32Array.of(cotangents.z),
    },
    live,
  );
  const expected = plain(rule, batch, batch.logits_RE);
  const loss = (logits_RE: readonly number[]): number => {
    const { gates, aux, z } = plain(rule, batch, logits_RE);
    const [dAux, dZ] = [cotangents.aux, cotangents.z].map(Math.fround);
    return sum(gates.map((gate, i) => gate * dGates(i))) + dAux * aux + dZ * z;
  };
  const slope = (i: number): number => {
    if (batch.live_R1[Math.floor(i / E)] === 0) return 0;
    const at = (delta: number) => loss(Array.from(batch.logits_RE).with(i, batch.logits_RE[i] + delta));
    return (at(1e-5) - at(-1e-5)) / 2e-5;
  };
  return {
    actual: { gates: [...made.gates_RK], losses: [made.aux_1[0], made.z_1[0]], dLogits: [...d_logits_RE] },
    expected: {
      gates: expected.gates,
      losses: [expected.aux, expected.z],
      dLogits: Array.from({ length: rows * E }, (_, i) => slope(i)),
    },
  };
}

/** The largest difference between what `bothWays` gives, in units of numbers around 1. */
export function largestError({ actual, expected }: Awaited<ReturnType<typeof bothWays>>): number {
  const differences = (a: readonly number[], b: readonly number[]): number[] => [
    Math.abs(a.length - b.length),
    ...a.map((x, i) => Math.abs(x - b[i])),
  ];
  const all = [
    ...differences(actual.gates, expected.gates),
    ...differences(actual.losses, expected.losses),
    ...differences(actual.dLogits, expected.dLogits),
  ];
  return all.some(Number.isNaN) ? NaN : Math.max(...all);
}
