/** Programs of what a Mamba block is made of, for the tests that hold of every op: see `cases.ts`. */
import * as k from '../../src/kernels/index.ts';
import type { Dim, Value } from '../../src/kernels/index.ts';
import { beginsFill, dynamicRows, positive, type Body, type Case, type Specs } from './case.ts';

type Values = Readonly<Record<string, Value>>;

const conv =
  (tokens: number, channels: number, taps: number) =>
  (rows: Dim): Specs => ({
    x: k.f32([rows, tokens, channels]),
    w: k.weight([channels, taps]),
    b: k.weight([channels]),
  });
const convFrom =
  (tokens: number, channels: number, taps: number) =>
  (rows: Dim): Specs => ({ ...conv(tokens, channels, taps)(rows), state: k.f32([rows, taps - 1, channels]) });
const causalConv: Body = ({ x, w, b, begins }) => k.causalConv({ x, w, b, begins });
const causalConvFrom: Body = ({ state, x, w, b, begins }) => {
  const { y, state: last } = k.causalConvFrom(state, { x, w, b, begins });
  return { y, last };
};
const scan =
  (tokens: number, channels: number, states: number) =>
  (rows: Dim): Specs => ({
    u: k.f32([rows, tokens, channels]),
    delta: k.f32([rows, tokens, channels]),
    a: k.weight([channels, states]),
    b: k.f32([rows, tokens, states]),
    c: k.f32([rows, tokens, states]),
    d: k.weight([channels]),
  });
const scanFrom =
  (tokens: number, channels: number, states: number) =>
  (rows: Dim): Specs => ({ ...scan(tokens, channels, states)(rows), state: k.f32([rows, channels, states]) });
const withBegins =
  (tokens: number, of: (rows: Dim) => Specs) =>
  (rows: Dim): Specs => ({ ...of(rows), begins: k.i32([rows, tokens]) });
const scanInputs = ({ u, delta, a, b, c, d, begins }: Values): k.ScanInputs => ({ u, delta, a, b, c, d, begins });
const selectiveScan: Body = (values) => k.selectiveScan(scanInputs(values));
const selectiveScanFrom: Body = (values) => {
  const { y, state: last } = k.selectiveScanFrom(values.state, scanInputs(values));
  return { y, last };
};
const scanFill = { delta: positive, a: (i: number) => -positive(i) };
/** Of sequences of 34 tokens: the first sample goes on from a state, others begin at 3, 32 and 33, or at 20 only. */
const goesOn = (i: number): number => {
  const t = i % 34;
  const places = Math.floor(i / 34) % 2 === 0 ? [33, 32, 3] : [20];
  return places.find((place) => place <= t) ?? -1;
};

export const mambaCases: readonly Case[] = [
  dynamicRows('causalConv', conv(6, 12, 4), causalConv),
  dynamicRows('causalConv, one tap', conv(2, 4, 1), causalConv),
  dynamicRows('causalConv, samples', withBegins(6, conv(6, 12, 4)), causalConv, beginsFill),
  dynamicRows('causalConvFrom', convFrom(2, 12, 4), causalConvFrom),
  dynamicRows('causalConvFrom, one tap', convFrom(2, 4, 1), causalConvFrom),
  dynamicRows('causalConvFrom, channels in no vectors', convFrom(5, 3, 3), causalConvFrom),
  dynamicRows('causalConvFrom, samples', withBegins(34, convFrom(34, 4, 4)), causalConvFrom, { begins: goesOn }),
  dynamicRows('causalConvFrom, samples in no vectors', withBegins(34, convFrom(34, 3, 3)), causalConvFrom, {
    begins: goesOn,
  }),
  dynamicRows('selectiveScan', scan(5, 3, 16), selectiveScan, scanFill),
  dynamicRows('selectiveScan, more than a chunk', scan(34, 4, 4), selectiveScan, scanFill),
  dynamicRows('selectiveScan, states in no vectors', scan(3, 2, 3), selectiveScan, scanFill),
  dynamicRows('selectiveScan, more channels than a workgroup', scan(33, 68, 4), selectiveScan, scanFill),
  dynamicRows('selectiveScan, samples', withBegins(6, scan(6, 3, 4)), selectiveScan, { ...scanFill, ...beginsFill }),
  dynamicRows('selectiveScanFrom', scanFrom(5, 3, 3), selectiveScanFrom, scanFill),
  dynamicRows('selectiveScanFrom, samples', withBegins(34, scanFrom(34, 4, 4)), selectiveScanFrom, {
    ...scanFill,
    begins: goesOn,
  }),
  dynamicRows(
    'selectiveScanFrom, only its last state read',
    scanFrom(2, 3, 3),
    (values) => ({ last: k.selectiveScanFrom(values.state, scanInputs(values)).state }),
    scanFill,
  ),
];
