/** Operations that are bound by memory. Their bytes are those of operands and results once; of a table, the rows that are read. */
import { adamw } from '../../src/kernels/ops/adamw.ts';
import * as k from '../../src/kernels/ops/index.ts';
import type { Value } from '../../src/kernels/graph.ts';
import type { Program } from '../../src/kernels/program.ts';
import { f32, i32, state, trace, weight } from '../../src/kernels/trace.ts';
import { vjp, type Vjp } from '../../src/kernels/vjp.ts';
import { bytesOf, type Fill, type KernelCase, type PeerCall } from './kernel_case.ts';
import type { Scale } from './scale.ts';

const FLOAT_BYTES = 4;
const passes = ['forward', 'backward'] as const;

/** A plain copy comes first. */
export function memoryCases({ elements, rows, table, parameters, scan }: Scale): KernelCase[] {
  const million = (n: number): string => `${(n / 1e6).toFixed(n < 1e7 ? 1 : 0)} M`;
  return [
    // An output that is an input is copied as a buffer; no shader runs.
    ofBytes(
      'copy of a buffer',
      million(elements),
      copy('copy', elements, (x) => x),
      { op: 'copy', elements },
    ),
    ofBytes('copy, element by element', million(elements), copy('negation', elements, k.neg), {
      op: 'negation',
      elements,
    }),
    ofBytes('chain of 8, element by element', million(elements), chain(elements), { op: 'chain', elements }),
    ...rowCases(rows),
    ...tableCases(table),
    ofBytes('AdamW', million(parameters), optimizer(parameters), { op: 'adamw', parameters }, hyper),
    ...scanCases(scan),
  ];
}

function copy(name: string, elements: number, body: (x: Value) => Value): Program {
  return trace(name, { x: f32([elements]) }, ({ x }) => ({ y: body(x) }));
}

function chain(elements: number): Program {
  return trace('chain', { a: f32([elements]), b: f32([elements]) }, ({ a, b }) => ({
    y: k.sub(k.mul(k.add(k.maximum(k.neg(k.mul(k.sub(k.add(a, b), a), b)), a), b), a), b),
  }));
}

function rowCases({ count, width }: Scale['rows']): KernelCase[] {
  const [x, vector] = [f32([count, width]), weight([width])];
  const made: Readonly<Record<string, Vjp>> = {
    rms_norm: vjp(trace('rms_norm', { x, w: vector }, (v) => ({ y: k.rmsNorm(v.x, v.w, 1e-6) }))),
    layer_norm: vjp(trace('layer_norm', { x, w: vector, b: vector }, (v) => ({ y: k.layerNorm(v.x, v.w, v.b, 1e-5) }))),
    softmax: vjp(trace('softmax', { x }, (v) => ({ y: k.softmax(v.x) }))),
  };
  return Object.entries(made).flatMap(([op, v]) => both(op, `${count} x ${width}`, v, { op, count, width }));
}

function tableCases({ tokens, vocabulary, width }: Scale['table']): KernelCase[] {
  const shape = `${tokens} rows of ${vocabulary} x ${width}`;
  const sizes = { tokens, vocabulary, width };
  const rowBytes = (count: number): number => FLOAT_BYTES * count * width;
  const ids = { ids: (i: number) => (i * 7919) % vocabulary };
  const slots = { slots: (i: number) => (i * 2207) % (2 * tokens) };
  const { forward, backward } = vjp(
    trace('embedding', { table: weight([vocabulary, width]), ids: i32([tokens]) }, (v) => ({
      y: k.embedding(v.table, v.ids),
    })),
  );
  const combine = trace(
    'combine',
    { rows: f32([2 * tokens, width]), gates: f32([tokens, 2]), slots: i32([tokens, 2]) },
    ({ rows, gates, slots: at }) => ({ y: k.combine(rows, gates, at) }),
  );
  return [
    { ...ofBytes('gather', shape, forward, { op: 'gather', ...sizes }, ids), amount: 2 * rowBytes(tokens) },
    ofBytes('combine of 2 a token', `${tokens} x ${width}`, combine, { op: 'combine', ...sizes }, slots),
    ofBytes('segment sum (embedding gradient)', shape, backward, { op: 'embedding_gradient', ...sizes }, ids),
  ];
}

function optimizer(parameters: number): Program {
  const flat = state([parameters]);
  return trace('adamw', { p: flat, m: flat, v: flat, g: f32([parameters]), h: f32([8]) }, ({ p, m, v, g, h }) => {
    adamw(p, m, v, g, h);
    return {};
  });
}
const hyper: Fill = { v: (i) => 0.01 + (i % 7) / 100, h: () => 0.1 };

function scanCases({ batch, tokens, channels, states }: Scale['scan']): KernelCase[] {
  const wide = f32([batch, tokens, channels]);
  const narrow = f32([batch, tokens, states]);
  const specs = { u: wide, delta: wide, a: weight([channels, states]), b: narrow, c: narrow, d: weight([channels]) };
  const v = vjp(trace('scan', specs, ({ u, delta, a, b, c, d }) => ({ y: k.selectiveScan({ u, delta, a, b, c, d }) })));
  const fill: Fill = { delta: (i) => 0.01 + 0.1 * Math.abs(Math.sin(i)), a: (i) => -1 - (i % states) };
  return both('selective scan', `B ${batch} T ${tokens} C ${channels} N ${states}`, v, null, fill);
}

function both(name: string, shape: string, v: Vjp, peer: PeerCall | null, fill: Fill = {}): KernelCase[] {
  return [v.forward, v.backward].map((program, pass) =>
    ofBytes(`${name}, ${passes[pass]}`, shape, program, peer && { ...peer, backward: pass === 1 }, fill),
  );
}

function ofBytes(name: string, shape: string, program: Program, peer: PeerCall | null, fill: Fill = {}): KernelCase {
  return { name, shape, program, live: {}, fill, bound: 'bytes', amount: bytesOf(program), peer };
}
