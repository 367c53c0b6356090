/**
 * One dispatch of a program: a shader over buffers, and how many workgroups of it. A program of the WebGPU device is a list
 * of passes, each of which sees what those before it wrote.
 */
import type { Dim, Shape } from '../shape.ts';
import type { Typed } from '../type.ts';

/** How a shader sees the elements of a buffer. bf16 lies packed in u32, two to a word. */
export type Element = 'f32' | 'vec4<f32>' | 'u32' | 'vec2<u32>' | 'i32' | 'atomic<u32>';

export const elementBytes = {
  f32: 4,
  'vec4<f32>': 16,
  u32: 4,
  'vec2<u32>': 8,
  i32: 4,
  'atomic<u32>': 4,
} as const satisfies Record<Element, number>;

export interface PassBinding {
  readonly name: string;
  readonly value: Typed;
  readonly element: Element;
  readonly isWritten: boolean;
}

export type SizeOf = (dim: Dim) => number;

/** Forms of one pass. */
export interface Choice {
  /** What is chosen for: an operation and its sizes. */
  readonly key: string;
  /** By name; the first is taken where nothing is measured. */
  readonly forms: readonly { readonly name: string; readonly pass: Pass }[];
}

export interface Pass {
  /** For error messages and profilers. */
  readonly label: string;
  readonly bindings: readonly PassBinding[];
  /** Module-scope declarations of its own. */
  readonly declarations: string;
  /** Statements of the entry point. They know `block`, the workgroup's number, and `lane`, the invocation's in it. */
  readonly body: string;
  /** Invocations a workgroup. */
  readonly workgroupSize: number;
  /** Workgroups for the live sizes. A grid may have more: the body looks at `block`. */
  readonly workgroups: (sizeOf: SizeOf) => number;
  /**
   * WGSL extensions that it is written in. With `subgroups` the body knows `subgroup`, the number of its own of `subgroups`,
   * and `subgroup_lane`, its own of `subgroup_size` invocations.
   */
  readonly enables: readonly string[];
  /** What else would do the same to the last bit: the device takes what is fastest. Absent: nothing. */
  readonly choice?: Choice;
  /** Whether it can refuse its operands, by `refuse()`. */
  readonly canRefuse: boolean;
}

/** Elements of a shape for live sizes. */
export const countOf = (shape: Shape, sizeOf: SizeOf): number => shape.reduce<number>((n, dim) => n * sizeOf(dim), 1);

/** What a shader calls the live size of a dynamic dimension. */
export const liveName = (name: string): string => `d_${name.replaceAll(/\W/g, '_')}`;

/** The live size of a dimension, in WGSL. */
export const sizeText = (dim: Dim): string => (typeof dim === 'number' ? `${dim}u` : `live.${liveName(dim.name)}`);

/** Elements of a shape, in WGSL. */
export function countText(shape: Shape): string {
  const dynamic = shape.filter((dim) => typeof dim !== 'number').map(sizeText);
  const fixed = shape.reduce<number>((n, dim) => (typeof dim === 'number' ? n * dim : n), 1);
  return [...dynamic, `${fixed}u`].join(' * ');
}
