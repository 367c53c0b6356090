/**
 * AdamW in WebAssembly SIMD, in place over the arena: the loop of `adamw`'s reference, four elements at a time, with the
 * same bits.
 */
import { memoryOf } from '../arena.ts';
import {
  add,
  advance,
  div,
  get,
  load,
  mul,
  set,
  splat,
  sqrt,
  store,
  sub,
  wasmModule,
  whileBelow,
} from './wasm_module.ts';

/** The numbers of one update, each already rounded to fp32, in the order of the kernel's parameters. */
export type AdamwNumbers = readonly [
  clip: number,
  beta1: number,
  rest1: number,
  beta2: number,
  rest2: number,
  scale1: number,
  scale2: number,
  epsilon: number,
  learningRate: number,
  decay: number,
];

const lanes = 4;
/** Where a 32-bit address would wrap. */
const addressSpaceBytes = 2 ** 32;
const instances = new WeakMap<WebAssembly.Memory, WebAssembly.Instance>();
let compiled: WebAssembly.Module | undefined;

/**
 * Updates `p`, `m`, `v` by `g`. Returns false, having done nothing, when they do not lie in one arena or their length is
 * no multiple of four.
 */
export function adamwInArena(
  p: Float32Array,
  m: Float32Array,
  v: Float32Array,
  g: Float32Array,
  numbers: AdamwNumbers,
): boolean {
  const memory = memoryOf(p.buffer);
  const end = p.byteOffset + p.byteLength;
  if (memory === undefined || p.length % lanes !== 0 || end >= addressSpaceBytes) return false;
  if ([m, v, g].some(({ buffer, length }) => buffer !== p.buffer || length !== p.length)) return false;
  const instance = instances.get(memory) ?? instantiate(memory);
  instance.exports.run(p.byteOffset, m.byteOffset, v.byteOffset, g.byteOffset, end, ...numbers);
  return true;
}

function instantiate(memory: WebAssembly.Memory): WebAssembly.Instance {
  compiled ??= kernel();
  const instance = new WebAssembly.Instance(compiled, { arena: { memory } });
  instances.set(memory, instance);
  return instance;
}

function kernel(): WebAssembly.Module {
  const [p, m, v, g, end] = [0, 1, 2, 3, 4];
  const firstNumber = 5;
  const numbers = 10;
  const firstSplat = firstNumber + numbers;
  const [clip, beta1, rest1, beta2, rest2, scale1, scale2, epsilon, rate, decay] = Array.from(
    { length: numbers },
    (_, i) => get(firstSplat + i),
  );
  const [gradient, moment1, moment2, parameter] = [0, 1, 2, 3].map((i) => firstSplat + numbers + i);
  const root = add(sqrt(mul(get(moment2), scale2)), epsilon);
  const step = add(div(mul(get(moment1), scale1), root), mul(decay, get(parameter)));
  const loop = [
    ...set(gradient, mul(load(get(g)), clip)),
    ...set(moment1, add(mul(beta1, load(get(m))), mul(rest1, get(gradient)))),
    ...set(moment2, add(mul(beta2, load(get(v))), mul(rest2, mul(get(gradient), get(gradient))))),
    ...set(parameter, load(get(p))),
    ...store(get(m), get(moment1)),
    ...store(get(v), get(moment2)),
    ...store(get(p), sub(get(parameter), mul(rate, step))),
    ...[p, m, v, g].flatMap((pointer) => advance(pointer, 16)),
  ];
  const splats = Array.from({ length: numbers }, (_, i) => set(firstSplat + i, splat(get(firstNumber + i)))).flat();
  return wasmModule(
    [
      ...Array.from({ length: firstNumber }, () => 'i32' as const),
      ...Array.from({ length: numbers }, () => 'f32' as const),
    ],
    Array.from({ length: numbers + 4 }, () => 'v128' as const),
    [...splats, ...whileBelow(p, end, loop)],
  );
}
