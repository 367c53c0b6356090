/**
 * Operations that are bound by arithmetic. Their FLOPs are those that the mathematics needs: attention's causal half, and
 * no product made again on the way back. Below fp32 they are those that `training.precision` reaches: attention and the
 * head are fp32 in every run.
 */
import type { Precision } from '../../src/kernels/precision.ts';
import { attention, linearCrossEntropy, matmul, relu } from '../../src/kernels/ops/index.ts';
import { flopsOf, type Program } from '../../src/kernels/program.ts';
import { dynamic } from '../../src/kernels/shape.ts';
import { f32, i32, trace, weight } from '../../src/kernels/trace.ts';
import { vjp } from '../../src/kernels/vjp.ts';
import type { KernelCase } from './kernel_case.ts';
import type { Scale } from './scale.ts';

/** Which operand is read transposed. */
const forms = { NN: {}, NT: { transposeB: true }, TN: { transposeA: true } } as const;

/** The largest NN product comes first. */
export function productCases(scale: Scale, precision: Precision): KernelCase[] {
  const { matmul: sizes, batched, experts, attention, head } = scale;
  return [
    ...sizes.flatMap((size) =>
      Object.keys(forms).map((form) => product(form as keyof typeof forms, [size, size], precision)),
    ),
    product('NN', [batched.count, batched.size, batched.size], precision),
    ...expertCases(experts, precision),
    ...(precision === 'f32' ? [...attentionCases(attention), ...headCases(head)] : []),
  ];
}

function product(form: keyof typeof forms, shape: readonly number[], precision: Precision): KernelCase {
  const specs = { a: f32(shape), b: f32(shape) };
  const program = trace('matmul', specs, ({ a, b }) => ({ y: matmul(a, b, forms[form]) }), { precision });
  return {
    name: `matmul ${form}`,
    shape: shape.length === 2 ? `${shape[0]}³` : `${shape[0]} of ${shape[1]}³`,
    ...ofFlops(program, flopsOf(program)),
    peer: { op: 'matmul', form, shape },
  };
}

function expertCases({ count, rows, hidden, inner }: Scale['experts'], precision: Precision): KernelCase[] {
  const specs = { x: f32([dynamic('rows', rows), hidden]), up: weight([inner, hidden]), down: weight([hidden, inner]) };
  const expert = trace(
    'expert',
    specs,
    ({ x, up, down }) => ({ y: matmul(relu(matmul(x, up, { transposeB: true })), down, { transposeB: true }) }),
    { precision },
  );
  const { forward, backward } = vjp(expert);
  return [forward, backward].map((program, pass) => ({
    name: `${count} experts of a group, ${passes[pass]}`,
    shape: `${rows} rows, ${hidden} x ${inner}`,
    ...ofFlops(program, count * flopsOf(program)),
    group: { count, rows: count * rows, each: rows },
    peer: { op: 'experts', backward: pass === 1, count, rows, hidden, inner },
  }));
}

function attentionCases({ batch, heads, tokens, width }: Scale['attention']): KernelCase[] {
  const shape = [batch, heads, tokens, width];
  const specs = { q: f32(shape), k: f32(shape), v: f32(shape) };
  const { forward, backward } = vjp(
    trace('attention', specs, ({ q, k, v }) => ({ o: attention({ q, k, v }, { causal: true }) })),
  );
  // Two products on the way there and five on the way back, of which half is below the diagonal.
  const half = batch * heads * tokens * tokens * width;
  return [forward, backward].map((program, pass) => ({
    name: `causal attention, ${passes[pass]}`,
    shape: `B ${batch} H ${heads} T ${tokens} d ${width}`,
    ...ofFlops(program, (pass === 0 ? 2 : 5) * half),
    peer: { op: 'attention', backward: pass === 1, shape },
  }));
}

function headCases({ rows, hidden, vocabulary }: Scale['head']): KernelCase[] {
  const specs = { x: f32([rows, hidden]), w: weight([vocabulary, hidden]), targets: i32([rows]) };
  const { forward, backward } = vjp(
    trace('head', specs, ({ x, w, targets }) => ({ losses: linearCrossEntropy(x, w, targets) })),
  );
  const flops = 2 * rows * hidden * vocabulary;
  return [forward, backward].map((program, pass) => ({
    name: `linear cross-entropy, ${passes[pass]}`,
    shape: `${rows} rows, D ${hidden} V ${vocabulary}`,
    ...ofFlops(program, (pass === 0 ? 1 : 2) * flops),
    fill: { targets: (i: number) => (i * 7919) % vocabulary },
    peer: { op: 'cross_entropy', backward: pass === 1, rows, hidden, vocabulary },
  }));
}

const passes = ['forward', 'backward'] as const;

const ofFlops = (program: Program, amount: number) =>
  ({ program, live: {}, fill: {}, bound: 'flops', amount }) as const;
