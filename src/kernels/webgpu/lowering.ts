/**
 * What an op's WGSL lowering is written with: passes over the op's own values and over scratch that it asks for. Most ops
 * are one of two patterns, which are here: something for each element, and something for each row. A driver that computes
 * on the processor pays dearly for barriers, so rows have a second form there; the code of an op is the same for both.
 */
import type { DType } from '../dtype.ts';
import type { Shape } from '../shape.ts';
import { maxElements } from '../shape.ts';
import type { Table } from '../table.ts';
import type { Type, Typed } from '../type.ts';
import { FeatureMissing } from './errors.ts';
import { countOf, countText, type Element, type Pass, type PassBinding, type SizeOf } from './pass.ts';
import type { SubgroupMatrix } from './wgsl/product_subgroup.ts';
import { RowText } from './wgsl/row_text.ts';

/** Buffers by the names that the code gives them. */
export type Named = Readonly<Record<string, Typed>>;

interface PassText {
  readonly label: string;
  readonly reads: Named;
  readonly writes: Named;
  readonly declarations?: string;
  /** How the shader sees a buffer, where it is not by its own type. */
  readonly elements?: Readonly<Record<string, Element>>;
  readonly canRefuse?: boolean;
  /** WGSL extensions. */
  readonly enables?: readonly string[];
}

export interface Grid {
  readonly workgroupSize: number;
  readonly workgroups: (sizeOf: SizeOf) => number;
}

const elementOf = { f32: 'f32', i32: 'i32', u32: 'u32', bf16: 'u32' } as const satisfies Record<DType, Element>;

/** Invocations of a workgroup that works element by element. */
const EACH = 64;

export interface AdapterTraits {
  /** It computes on the processor: no barriers where they can be done without. */
  readonly isSerial: boolean;
  /** Names of WebGPU features that the device has. */
  readonly features: ReadonlySet<string>;
  /** What it multiplies in one go; null where it has no matrix units. */
  readonly subgroupMatrix: SubgroupMatrix | null;
}

export class Lowering {
  readonly traits: AdapterTraits;
  readonly passes: Pass[] = [];
  readonly aliases = new Map<Typed, Typed>();
  readonly tables = new Map<Typed, Table>();
  private readonly fresh: (type: Type) => Typed;

  /** `fresh` makes a value that no other is. */
  constructor(fresh: (type: Type) => Typed, traits: AdapterTraits) {
    this.fresh = fresh;
    this.traits = traits;
  }

  /** Room that lasts to the end of the op. */
  scratch(dtype: DType, shape: Shape): Typed {
    return this.fresh({ dtype, shape });
  }

  /** Throws `FeatureMissing` where the adapter lacks what `what` needs. */
  need(feature: string, what: string): void {
    if (!this.traits.features.has(feature)) throw new FeatureMissing(feature, what);
  }

  /** Constants that the device keeps. */
  table(table: Table): Typed {
    const known = [...this.tables].find(([, { name }]) => name === table.name);
    if (known !== undefined) return known[0];
    const value = this.scratch('f32', [table.length]);
    this.tables.set(value, table);
    return value;
  }

  /** `output` is `input` under another shape. */
  alias(output: Typed, input: Typed): void {
    this.aliases.set(output, input);
  }

  pass(text: PassText & { readonly body: string }, grid: Grid): void {
    this.passes.push(this.made(text, grid));
  }

  /** A pass that has several forms of equal results. */
  choose(
    key: string,
    forms: readonly {
      readonly name: string;
      readonly text: PassText & { readonly body: string };
      readonly grid: Grid;
    }[],
  ): void {
    const made = forms.map(({ name, text, grid }) => ({ name, pass: this.made(text, grid) }));
    this.passes.push(made.length === 1 ? made[0].pass : { ...made[0].pass, choice: { key, forms: made } });
  }

  private made(text: PassText & { readonly body: string }, grid: Grid): Pass {
    const { label, reads, writes, declarations = '', elements = {}, canRefuse = false, enables = [], body } = text;
    const bindings = [
      ...Object.entries(reads).map(([name, value]) => binding(name, value, elements[name], false)),
      ...Object.entries(writes).map(([name, value]) => binding(name, value, elements[name], true)),
    ];
    return { label, bindings, declarations, body, canRefuse, enables, ...grid };
  }

  /** Runs `body` once for each element `i` of `over`. */
  each({ over, body, ...text }: PassText & { readonly over: Shape; readonly body: string }): void {
    const guarded = `let i = block * ${EACH}u + lane;\nif (i >= ${countText(over)}) { return; }\n${body}`;
    const workgroups = (sizeOf: SizeOf): number => Math.ceil(countOf(over, sizeOf) / EACH);
    this.pass({ ...text, body: guarded }, { workgroupSize: EACH, workgroups });
  }

  /** Runs `body` once for each `row` of `over`, whose rows have `width` elements. */
  rows({
    over,
    width,
    body,
    declarations = '',
    enables = [],
    ...text
  }: PassText & {
    readonly over: Shape;
    readonly width: number;
    readonly body: (row: RowText) => string;
  }): void {
    const row = new RowText(width, this.traits);
    const lines = body(row);
    const number = this.traits.isSerial ? `block * ${row.workgroupSize}u + lane` : 'block';
    const guarded = `let row = ${number};\nif (row >= ${countText(over)}) { return; }\n${lines}`;
    const perGroup = this.traits.isSerial ? row.workgroupSize : 1;
    this.pass(
      {
        ...text,
        declarations: `${declarations}\n${row.declarations}`,
        enables: [...enables, ...row.enables],
        body: guarded,
      },
      {
        workgroupSize: row.workgroupSize,
        workgroups: (sizeOf) => Math.ceil(countOf(over, sizeOf) / perGroup),
      },
    );
  }
}

function binding(name: string, value: Typed, element: Element | undefined, isWritten: boolean): PassBinding {
  return { name, value, element: element ?? elementOf[value.type.dtype], isWritten };
}

/** Elements of one index of the first axis. */
export const innerOf = (shape: Shape): number => maxElements(shape.slice(1));
