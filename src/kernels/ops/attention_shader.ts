/**
 * Attention on the WebGPU device, one invocation a query: what it has of its row is in registers, scores come and go, and no
 * Tq × Tk matrix is held. Neighbouring invocations read the same keys at the same time.
 */
import type { Value } from '../graph.ts';
import { maxElements } from '../shape.ts';
import type { Typed } from '../type.ts';
import type { Lowering } from '../webgpu/lowering.ts';
import type { Element } from '../webgpu/pass.ts';
import { literal } from '../webgpu/wgsl/arithmetic.ts';
import type { AttentionForm, ForwardOperands } from './attention_form.ts';
import { intervalText } from './attention_mask.ts';

/** Far below every score, and finite. */
const never = literal(-1e38);

/** Sizes of attention as its shaders write them. */
export interface ShaderHeads {
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
  /** Query heads that share a key head. */
  readonly share: number;
  /** Vectors (or numbers, where they are not whole) of a row. */
  readonly parts: readonly number[];
  readonly element: Element;
  readonly zero: string;
}

export function shaderHeads(q: Value, k: Value): ShaderHeads {
  const [, heads, queries, width] = q.type.shape.map(Number);
  const [, keyHeads, keys] = k.type.shape.map(Number);
  const lanes = width % 4 === 0 ? 4 : 1;
  return {
    heads,
    queries,
    keys,
    share: heads / keyHeads,
    parts: Array.from({ length: width / lanes }, (_, n) => n),
    element: lanes === 4 ? 'vec4<f32>' : 'f32',
    zero: lanes === 4 ? 'vec4<f32>()' : '0f',
  };
}

/** Σ a · b over the parts of a row. */
export const dotText = ({ parts, element }: ShaderHeads, a: (n: number) => string, b: (n: number) => string): string =>
  parts.map((n) => (element === 'f32' ? `${a(n)} * ${b(n)}` : `dot(${a(n)}, ${b(n)})`)).join(' + ') || '0f';

export const eachPart = ({ parts }: ShaderHeads, line: (n: number) => string): string => parts.map(line).join('\n');
/** Part n of the row of a buffer that begins at part `at`. */
export const row = (name: string, at: string) => (n: number) => `${name}[${at} + ${n}u]`;
/** Part n where it is in registers. */
export const register = (name: string) => (n: number) => `${name}${n}`;
export const elementsOf = ({ element }: ShaderHeads, names: readonly string[]): Record<string, Element> =>
  Object.fromEntries(names.map((name) => [name, element]));

/** A score of which `dot` is the product; query `i` of head `head` (both of one sequence) and key `j`. */
export const scoreText = (
  { queries, keys }: ShaderHeads,
  { scale, given }: AttentionForm,
  dot: string,
  { head, query, key }: { readonly head: string; readonly query: string; readonly key: string },
): string => {
  const product = `${literal(scale)} * (${dot})`;
  return given.includes('bias') ? `${product} + bias[(${head} * ${queries}u + ${query}) * ${keys}u + ${key}]` : product;
};

export function attentionPasses(
  lowering: Lowering,
  { q, k, v, extras }: ForwardOperands<Value>,
  [o, statistics]: readonly Value[],
  form: AttentionForm,
): void {
  const sizes = shaderHeads(q, k);
  const { heads, queries, keys, share, parts, zero } = sizes;
  const { bias, ...places } = extras;
  const intervals = intervalsOf(lowering, q, sizes, places, form);
  const where = { head: `i / ${queries}u % ${heads}u`, query: 'query', key: 'j' };
  lowering.each({
    label: 'attention',
    reads: { q, k, v, ...(bias && { bias }), ...(intervals && { intervals }) },
    writes: { o, statistics },
    elements: elementsOf(sizes, ['q', 'k', 'v', 'o']),
    over: q.type.shape.slice(0, 3),
    body: `let query = i % ${queries}u;
${
  intervals === null
    ? intervalText(form, {}, '', keys)
    : `let index = i / ${heads * queries}u * ${queries}u + query;
let begin = intervals[2u * index];
let end = intervals[2u * index + 1u];
`
}let keys = i / ${queries}u / ${share}u * ${keys * parts.length}u;
${eachPart(sizes, (n) => `let q${n} = q[i * ${parts.length}u + ${n}u]; var o${n} = ${zero};`)}
var top = ${never};
var total = 0f;
for (var j = begin; j < end; j++) {
  let at = keys + j * ${parts.length}u;
  let score = ${scoreText(sizes, form, dotText(sizes, register('q'), row('k', 'at')), where)};
  let new_top = max(top, score);
  let shrink = exp(top - new_top);
  let p = exp(score - new_top);
  total = total * shrink + p;
${eachPart(sizes, (n) => `  o${n} = o${n} * shrink + p * v[at + ${n}u];`)}
  top = new_top;
}
${intervals === null ? '' : 'if (begin >= end) { top = 0f; total = 1f; }\n'}${eachPart(sizes, (n) => `o[i * ${parts.length}u + ${n}u] = o${n} / total;`)}
statistics[2u * i] = top;
statistics[2u * i + 1u] = ${intervals === null ? '1f / total' : 'select(1f / total, 0f, begin >= end)'};`,
  });
}

/** begin and end of each query of each sequence, by a pass that refuses what is none; null where there are no begins or ends. */
function intervalsOf(
  lowering: Lowering,
  q: Value,
  { queries, keys }: ShaderHeads,
  places: Omit<ForwardOperands<Value>['extras'], 'bias'>,
  form: AttentionForm,
): Typed | null {
  const { begins, ends } = places;
  if (begins === undefined && ends === undefined) return null;
  const over = [q.type.shape[0], queries];
  const intervals = lowering.scratch('u32', [maxElements(over) * 2]);
  lowering.each({
    label: 'attention, intervals',
    reads: { ...(begins && { begins }), ...(ends && { ends }) },
    writes: { intervals },
    over,
    canRefuse: true,
    body: `let query = i % ${queries}u;
${intervalText(form, places, 'i', keys)}intervals[2u * i] = begin;
intervals[2u * i + 1u] = end;`,
  });
  return intervals;
}
