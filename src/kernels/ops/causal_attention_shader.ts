/**
 * Causal attention on the WebGPU device, one invocation a query (and, for the gradients of keys and values, one a key): what
 * it has of its row is in registers, scores come and go, and no T × T matrix is held. Neighbouring invocations read the same
 * keys at the same time.
 */
import type { Value } from '../graph.ts';
import { maxElements } from '../shape.ts';
import type { Lowering } from '../webgpu/lowering.ts';
import type { Element } from '../webgpu/pass.ts';
import { literal } from '../webgpu/wgsl/arithmetic.ts';
import { beginText } from './causal_begins.ts';

/** Far below every score, and finite. */
const never = literal(-1e38);

interface Heads {
  readonly tokens: number;
  /** Vectors (or numbers, where they are not whole) of a row. */
  readonly parts: readonly number[];
  readonly element: Element;
  readonly zero: string;
  /** Query heads that share a key head. */
  readonly share: number;
  readonly scale: string;
}

function headsOf(q: Value, k: Value): Heads {
  const [, heads, tokens, width] = q.type.shape.map(Number);
  const lanes = width % 4 === 0 ? 4 : 1;
  return {
    tokens,
    parts: Array.from({ length: width / lanes }, (_, n) => n),
    element: lanes === 4 ? 'vec4<f32>' : 'f32',
    zero: lanes === 4 ? 'vec4<f32>()' : '0f',
    share: heads / Number(k.type.shape[1]),
    scale: literal(width ** -0.5),
  };
}

/** Σ a · b over the parts of a row. */
const dotOf = ({ parts, element }: Heads, a: (n: number) => string, b: (n: number) => string): string =>
  parts.map((n) => (element === 'f32' ? `${a(n)} * ${b(n)}` : `dot(${a(n)}, ${b(n)})`)).join(' + ') || '0f';

const each = ({ parts }: Heads, line: (n: number) => string): string => parts.map(line).join('\n');
const row = (name: string, at: string) => (n: number) => `${name}[${at} + ${n}u]`;
const register = (name: string) => (n: number) => `${name}${n}`;
const named = (heads: Heads, names: readonly string[]): Record<string, Element> =>
  Object.fromEntries(names.map((name) => [name, heads.element]));

/** The begins as a pass reads them, where there are some. */
const beginsOf = ([begins]: readonly (Value | undefined)[]) =>
  begins === undefined ? { begins: {}, hasBegins: false } : { begins: { begins }, hasBegins: true };

export function attentionPass(
  lowering: Lowering,
  [q, k, v, ...masks]: readonly Value[],
  [o, statistics]: readonly Value[],
): void {
  const heads = headsOf(q, k);
  const { tokens, parts, share, scale, zero } = heads;
  const { begins, hasBegins } = beginsOf(masks);
  lowering.each({
    label: 'causal_attention',
    reads: { q, k, v, ...begins },
    writes: { o, statistics },
    elements: named(heads, ['q', 'k', 'v', 'o']),
    over: q.type.shape.slice(0, 3),
    canRefuse: hasBegins,
    body: `${hasBegins ? beginText(q.type.shape) : ''}let keys = i / ${tokens}u / ${share}u * ${tokens * parts.length}u;
${each(heads, (n) => `let q${n} = q[i * ${parts.length}u + ${n}u]; var o${n} = ${zero};`)}
var top = ${never};
var total = 0f;
for (var j = ${hasBegins ? 'begin' : '0u'}; j <= i % ${tokens}u; j++) {
  let at = keys + j * ${parts.length}u;
  let score = ${scale} * (${dotOf(heads, register('q'), row('k', 'at'))});
  let new_top = max(top, score);
  let shrink = exp(top - new_top);
  let p = exp(score - new_top);
  total = total * shrink + p;
${each(heads, (n) => `  o${n} = o${n} * shrink + p * v[at + ${n}u];`)}
  top = new_top;
}
${each(heads, (n) => `o[i * ${parts.length}u + ${n}u] = o${n} / total;`)}
statistics[2u * i] = top;
statistics[2u * i + 1u] = 1f / total;`,
  });
}

export function attentionGradientPasses(
  lowering: Lowering,
  [q, k, v, o, statistics, dO, ...masks]: readonly Value[],
  [dq, dk, dv]: readonly Value[],
): void {
  const heads = headsOf(q, k);
  const { tokens, parts, share, scale, zero } = heads;
  const width = parts.length;
  const { begins, hasBegins } = beginsOf(masks);
  // Where there are begins, a query's lies behind its pull, as a float: the last pass has no room for a ninth buffer.
  const pull = lowering.scratch('f32', [maxElements(q.type.shape.slice(0, 3)) * (hasBegins ? 2 : 1)]);
  const pullOf = (query: string): string => (hasBegins ? `pull[2u * ${query}]` : `pull[${query}]`);
  const beginOf = (query: string): string => (hasBegins ? `u32(pull[2u * ${query} + 1u])` : '0u');
  lowering.each({
    label: 'causal_attention_gradient, pull',
    reads: { o, d_o: dO, ...begins },
    writes: { pull },
    elements: named(heads, ['o', 'd_o']),
    over: q.type.shape.slice(0, 3),
    canRefuse: hasBegins,
    body: `${hasBegins ? `${beginText(q.type.shape)}pull[2u * i + 1u] = f32(begin);\n` : ''}${pullOf('i')} = ${dotOf(heads, row('o', `i * ${width}u`), row('d_o', `i * ${width}u`))};`,
  });
  lowering.each({
    label: 'causal_attention_gradient, queries',
    reads: { q, k, v, d_o: dO, statistics, pull },
    writes: { dq },
    elements: named(heads, ['q', 'k', 'v', 'd_o', 'dq']),
    over: q.type.shape.slice(0, 3),
    body: `let keys = i / ${tokens}u / ${share}u * ${tokens * width}u;
let top = statistics[2u * i];
let inverse = statistics[2u * i + 1u];
let own = ${pullOf('i')};
${each(heads, (n) => `let q${n} = q[i * ${width}u + ${n}u]; let c${n} = d_o[i * ${width}u + ${n}u]; var dq${n} = ${zero};`)}
for (var j = ${beginOf('i')}; j <= i % ${tokens}u; j++) {
  let at = keys + j * ${width}u;
  let score = ${scale} * (${dotOf(heads, register('q'), row('k', 'at'))});
  let p = exp(score - top) * inverse;
  let ds = ${scale} * p * ((${dotOf(heads, register('c'), row('v', 'at'))}) - own);
${each(heads, (n) => `  dq${n} += ds * k[at + ${n}u];`)}
}
${each(heads, (n) => `dq[i * ${width}u + ${n}u] = dq${n};`)}`,
  });
  lowering.each({
    label: 'causal_attention_gradient, keys',
    reads: { q, k, v, d_o: dO, statistics, pull },
    writes: { dk, dv },
    elements: named(heads, ['q', 'k', 'v', 'd_o', 'dk', 'dv']),
    over: k.type.shape.slice(0, 3),
    body: `let head = i / ${tokens}u;
${each(heads, (n) => `let k${n} = k[i * ${width}u + ${n}u]; let v${n} = v[i * ${width}u + ${n}u]; var dk${n} = ${zero}; var dv${n} = ${zero};`)}
for (var h = head * ${share}u; h < (head + 1u) * ${share}u; h++) {
  for (var t = i % ${tokens}u; t < ${tokens}u; t++) {
    let query = h * ${tokens}u + t;${hasBegins ? `\n    if (${beginOf('query')} > i % ${tokens}u) { continue; }` : ''}
    let at = query * ${width}u;
    let score = ${scale} * (${dotOf(heads, row('q', 'at'), register('k'))});
    let p = exp(score - statistics[2u * query]) * statistics[2u * query + 1u];
    let ds = ${scale} * p * ((${dotOf(heads, row('d_o', 'at'), register('v'))}) - ${pullOf('query')});
${each(heads, (n) => `    dk${n} += ds * q[at + ${n}u]; dv${n} += p * d_o[at + ${n}u];`)}
  }
}
${each(heads, (n) => `dk[i * ${width}u + ${n}u] = dk${n}; dv[i * ${width}u + ${n}u] = dv${n};`)}`,
  });
}
