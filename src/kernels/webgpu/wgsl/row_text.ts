/**
 * The text of what is done for one row: by a workgroup, whose invocations take every n-th element and fold what they found
 * in a fixed order, or by one invocation that takes them all.
 */
import { foldText, type FoldKind, type FoldText } from './fold.ts';

const LEAST = 32;
const MOST = 256;
const SERIAL = 64;

export class RowText {
  readonly workgroupSize: number;
  private readonly width: number;
  private readonly isSerial: boolean;
  private readonly foldText: FoldText;
  private readonly folds = new Set<FoldKind>();

  constructor(
    width: number,
    { isSerial, features }: { readonly isSerial: boolean; readonly features: ReadonlySet<string> },
  ) {
    this.width = width;
    this.isSerial = isSerial;
    this.foldText = foldText(features);
    this.workgroupSize = isSerial ? SERIAL : Math.min(MOST, Math.max(LEAST, powerOf2From(width / 4)));
  }

  /** Runs `statement` for each element `name` = 0 … width − 1. */
  each(name: string, statement: string, width = this.width): string {
    const [first, step] = this.isSerial ? ['0u', '1u'] : ['lane', `${this.workgroupSize}u`];
    return `for (var ${name} = ${first}; ${name} < ${width}u; ${name} += ${step}) { ${statement} }`;
  }

  /** Σ of what each invocation has. */
  sum(value: string): string {
    return this.fold('sum', value);
  }

  max(value: string): string {
    return this.fold('max', value);
  }

  /** Runs `statement` in one invocation. */
  once(statement: string): string {
    return this.isSerial ? statement : `if (lane == 0u) { ${statement} }`;
  }

  /** Module-scope declarations of what it folds by. */
  get declarations(): string {
    return this.folds.size === 0 ? '' : this.foldText.declarations([...this.folds], this.workgroupSize);
  }

  /** WGSL extensions of these. */
  get enables(): readonly string[] {
    return this.folds.size === 0 ? [] : this.foldText.enables;
  }

  private fold(kind: FoldKind, value: string): string {
    if (this.isSerial) return value;
    this.folds.add(kind);
    return this.foldText.call(kind, value);
  }
}

function powerOf2From(least: number): number {
  let power = 1;
  while (power < least) power *= 2;
  return power;
}
