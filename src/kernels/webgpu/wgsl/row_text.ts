/**
 * The text of what is done for one row: by a workgroup, whose invocations take every n-th element and fold what they found
 * in a fixed tree, or by one invocation that takes them all.
 */
const LEAST = 32;
const MOST = 256;
const SERIAL = 64;

export class RowText {
  readonly workgroupSize: number;
  private readonly width: number;
  private readonly isSerial: boolean;
  private readonly folds = new Set<'sum' | 'max'>();

  constructor(width: number, isSerial: boolean) {
    this.width = width;
    this.isSerial = isSerial;
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

  get declarations(): string {
    const kinds = [...this.folds];
    if (kinds.length === 0) return '';
    const size = this.workgroupSize;
    return [
      `var<workgroup> folded: array<f32, ${size}>;`,
      ...kinds.map((kind) => {
        const step = kind === 'sum' ? 'folded[lane] + folded[lane + half]' : 'max(folded[lane], folded[lane + half])';
        return [
          `fn fold_${kind}(value: f32, lane: u32) -> f32 {`,
          '  workgroupBarrier();',
          '  folded[lane] = value;',
          '  workgroupBarrier();',
          `  for (var half = ${size / 2}u; half > 0u; half >>= 1u) {`,
          `    if (lane < half) { folded[lane] = ${step}; }`,
          '    workgroupBarrier();',
          '  }',
          '  return folded[0];',
          '}',
        ].join('\n');
      }),
    ].join('\n');
  }

  private fold(kind: 'sum' | 'max', value: string): string {
    if (this.isSerial) return value;
    this.folds.add(kind);
    return `fold_${kind}(${value}, lane)`;
  }
}

function powerOf2From(least: number): number {
  let power = 1;
  while (power < least) power *= 2;
  return power;
}
