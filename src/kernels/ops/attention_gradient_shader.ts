/**
 * The gradient of attention on the WebGPU device: one invocation a query, then one a key, and one an element of the bias. Each
 * makes the probabilities again from what is known of a query, so that none waits for another and sums have one order.
 */
import type { Value } from '../graph.ts';
import { maxElements } from '../shape.ts';
import type { Typed } from '../type.ts';
import type { Lowering } from '../webgpu/lowering.ts';
import { sizeText } from '../webgpu/pass.ts';
import { literal } from '../webgpu/wgsl/arithmetic.ts';
import type { AttentionForm, GradientOperands } from './attention_form.ts';
import { intervalText } from './attention_mask.ts';
import {
  dotText,
  eachPart,
  elementsOf,
  register,
  row,
  scoreText,
  shaderHeads,
  type ShaderHeads,
} from './attention_shader.ts';

/**
 * What is known of each query, [top, inverse, pull], and where begins or ends are given also [begin, end], as floats: one
 * buffer, since the pass over keys has no room for more.
 */
interface Known {
  readonly known: Typed;
  /** A number of query `of` of all heads and sequences. */
  readonly text: (of: string, what: 'top' | 'inverse' | 'pull' | 'begin' | 'end') => string;
  readonly hasIntervals: boolean;
}

const numbers = ['top', 'inverse', 'pull', 'begin', 'end'];

export function attentionGradientPasses(
  lowering: Lowering,
  operands: GradientOperands<Value>,
  [dq, dk, dv, ...dBias]: readonly Value[],
  form: AttentionForm,
): void {
  const sizes = shaderHeads(operands.q, operands.k);
  const known = knownPass(lowering, operands, sizes, form);
  queriesPass(lowering, operands, dq, sizes, known, form);
  keysPass(lowering, operands, [dk, dv], sizes, known, form);
  for (const d_bias of dBias) biasPass(lowering, operands, d_bias, sizes, known, form);
}

type PassOf<T> = (
  lowering: Lowering,
  operands: GradientOperands<Value>,
  written: T,
  sizes: ShaderHeads,
  known: Known,
  form: AttentionForm,
) => void;

function knownPass(
  lowering: Lowering,
  { q, extras: { bias: _bias, ...places }, o, statistics, dO }: GradientOperands<Value>,
  sizes: ShaderHeads,
  form: AttentionForm,
): Known {
  const { heads, queries, keys, parts } = sizes;
  const { begins, ends } = places;
  const hasIntervals = begins !== undefined || ends !== undefined;
  const step = hasIntervals ? 5 : 3;
  const over = q.type.shape.slice(0, 3);
  const known = lowering.scratch('f32', [maxElements(over) * step]);
  const text: Known['text'] = (of, what) => `known[${step}u * ${of} + ${numbers.indexOf(what)}u]`;
  const at = `i * ${parts.length}u`;
  lowering.each({
    label: 'attention_gradient, known',
    reads: { o, d_o: dO, statistics, ...(begins && { begins }), ...(ends && { ends }) },
    writes: { known },
    elements: elementsOf(sizes, ['o', 'd_o']),
    over,
    canRefuse: hasIntervals,
    body: `${
      hasIntervals
        ? `let query = i % ${queries}u;
let index = i / ${heads * queries}u * ${queries}u + query;
${intervalText(form, places, 'index', keys)}${text('i', 'begin')} = f32(begin);
${text('i', 'end')} = f32(end);
`
        : ''
    }${text('i', 'top')} = statistics[2u * i];
${text('i', 'inverse')} = statistics[2u * i + 1u];
${text('i', 'pull')} = ${dotText(sizes, row('o', at), row('d_o', at))};`,
  });
  return { known, text, hasIntervals };
}

const queriesPass: PassOf<Value> = (lowering, { q, k, v, extras: { bias }, dO }, dq, sizes, known, form) => {
  const { heads, queries, keys, share, parts, zero } = sizes;
  const width = parts.length;
  const where = { head: `i / ${queries}u % ${heads}u`, query: 'query', key: 'j' };
  lowering.each({
    label: 'attention_gradient, queries',
    reads: { q, k, v, d_o: dO, known: known.known, ...(bias && { bias }) },
    writes: { dq },
    elements: elementsOf(sizes, ['q', 'k', 'v', 'd_o', 'dq']),
    over: q.type.shape.slice(0, 3),
    body: `let query = i % ${queries}u;
let keys = i / ${queries}u / ${share}u * ${keys * width}u;
let top = ${known.text('i', 'top')};
let inverse = ${known.text('i', 'inverse')};
let own = ${known.text('i', 'pull')};
${
  known.hasIntervals
    ? `let begin = u32(${known.text('i', 'begin')});\nlet end = u32(${known.text('i', 'end')});\n`
    : intervalText(form, {}, '', keys)
}${eachPart(sizes, (n) => `let q${n} = q[i * ${width}u + ${n}u]; let c${n} = d_o[i * ${width}u + ${n}u]; var dq${n} = ${zero};`)}
for (var j = begin; j < end; j++) {
  let at = keys + j * ${width}u;
  let score = ${scoreText(sizes, form, dotText(sizes, register('q'), row('k', 'at')), where)};
  let p = exp(score - top) * inverse;
  let ds = ${literal(form.scale)} * p * ((${dotText(sizes, register('c'), row('v', 'at'))}) - own);
${eachPart(sizes, (n) => `  dq${n} += ds * k[at + ${n}u];`)}
}
${eachPart(sizes, (n) => `dq[i * ${width}u + ${n}u] = dq${n};`)}`,
  });
};

const keysPass: PassOf<readonly Value[]> = (lowering, operands, [dk, dv], sizes, known, form) => {
  const { q, k, v, extras, dO } = operands;
  const { bias } = extras;
  const { heads, queries, keys, share, parts, zero } = sizes;
  const width = parts.length;
  const { causal, window } = form;
  const last = window === null ? `${queries}u` : `min(${queries}u, key + ${window}u)`;
  const where = { head: `h % ${heads}u`, query: 't', key: 'key' };
  lowering.each({
    label: 'attention_gradient, keys',
    reads: { q, k, v, d_o: dO, known: known.known, ...(bias && { bias }) },
    writes: { dk, dv },
    elements: elementsOf(sizes, ['q', 'k', 'v', 'd_o', 'dk', 'dv']),
    over: k.type.shape.slice(0, 3),
    body: `let head = i / ${keys}u;
let key = i % ${keys}u;
${eachPart(sizes, (n) => `let k${n} = k[i * ${width}u + ${n}u]; let v${n} = v[i * ${width}u + ${n}u]; var dk${n} = ${zero}; var dv${n} = ${zero};`)}
for (var h = head * ${share}u; h < (head + 1u) * ${share}u; h++) {
  for (var t = ${causal ? 'key' : '0u'}; t < ${last}; t++) {
    let query = h * ${queries}u + t;${known.hasIntervals ? `\n    ${unseenText(known, 'query', 'key')}` : ''}
    let at = query * ${width}u;
    let score = ${scoreText(sizes, form, dotText(sizes, row('q', 'at'), register('k')), where)};
    let p = exp(score - ${known.text('query', 'top')}) * ${known.text('query', 'inverse')};
    let ds = ${literal(form.scale)} * p * ((${dotText(sizes, row('d_o', 'at'), register('v'))}) - ${known.text('query', 'pull')});
${eachPart(sizes, (n) => `    dk${n} += ds * q[at + ${n}u]; dv${n} += p * d_o[at + ${n}u];`)}
  }
}
${eachPart(sizes, (n) => `dk[i * ${width}u + ${n}u] = dk${n}; dv[i * ${width}u + ${n}u] = dv${n};`)}`,
  });
};

/** One sequence after another. */
const biasPass: PassOf<Value> = (lowering, { q, k, v, extras, dO }, d_bias, sizes, known, form) => {
  const { bias } = extras;
  const { heads, queries, keys, share, parts } = sizes;
  const width = parts.length;
  const where = { head: 'head', query: 'query', key: 'key' };
  const batch = sizeText(q.type.shape[0]);
  lowering.each({
    label: 'attention_gradient, bias',
    reads: { q, k, v, d_o: dO, known: known.known, ...(bias && { bias }) },
    writes: { d_bias },
    elements: elementsOf(sizes, ['q', 'k', 'v', 'd_o']),
    over: d_bias.type.shape,
    body: `let key = i % ${keys}u;
let query = i / ${keys}u % ${queries}u;
let head = i / ${keys * queries}u;
var sum = 0f;
${intervalText(form, {}, '', keys)}if (key >= begin && key < end) {
  for (var b = 0u; b < ${batch}; b++) {
    let one = (b * ${heads}u + head) * ${queries}u + query;${known.hasIntervals ? `\n    ${unseenText(known, 'one', 'key')}` : ''}
    let own = one * ${width}u;
    let at = ((b * ${heads}u + head) / ${share}u * ${keys}u + key) * ${width}u;
    let score = ${scoreText(sizes, form, dotText(sizes, row('q', 'own'), row('k', 'at')), where)};
    let p = exp(score - ${known.text('one', 'top')}) * ${known.text('one', 'inverse')};
    sum += p * ((${dotText(sizes, row('d_o', 'own'), row('v', 'at'))}) - ${known.text('one', 'pull')});
  }
}
d_bias[i] = sum;`,
  });
};

/** Goes on with the next query where this one does not see the key. */
const unseenText = ({ text }: Known, query: string, key: string): string =>
  `if (f32(${key}) < ${text(query, 'begin')} || f32(${key}) >= ${text(query, 'end')}) { continue; }`;
