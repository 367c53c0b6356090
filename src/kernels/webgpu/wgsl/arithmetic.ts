/**
 * fp32 arithmetic as WGSL text: each operation becomes a `let`, and its name is what stands for the number. One lane or
 * four. WGSL lets a compiler fuse a product with a sum, reorder sums, and divide and take roots less than exactly: results
 * are near to the reference's, and equal from run to run of one driver.
 */
import type { Arithmetic } from '../../arithmetic.ts';
import type { Words } from '../../random.ts';

/** Statements while they are written. */
export class Statements {
  readonly lines: string[] = [];
  private count = 0;
  private readonly prefix: string;

  /** `prefix`: of the names it gives. */
  constructor(prefix = 't') {
    this.prefix = prefix;
  }

  /** A name for the value of an expression. */
  let(expression: string): string {
    const name = `${this.prefix}${this.count++}`;
    this.lines.push(`let ${name} = ${expression};`);
    return name;
  }

  add(statement: string): void {
    this.lines.push(statement);
  }

  get text(): string {
    return this.lines.join('\n');
  }
}

export type Lanes = 1 | 4;

/** A finite number, as WGSL writes it. */
export function literal(value: number): string {
  const rounded = Math.fround(value);
  return rounded < 0 || Object.is(rounded, -0) ? `(-${-rounded}f)` : `${rounded}f`;
}

export function arithmeticOf(statements: Statements, lanes: Lanes): Arithmetic<string> {
  const wide = (type: string): string => (lanes === 1 ? type : `vec4<${type}>`);
  const make = (expression: string): string => statements.let(expression);
  const bits = (x: string, type: string): string => `bitcast<${wide(type)}>(${x})`;
  return {
    constant: (value) => {
      const scalar = Number.isFinite(value) ? literal(value) : value > 0 ? 'infinity()' : '(-infinity())';
      return lanes === 1 ? scalar : `vec4<f32>(${scalar})`;
    },
    add: (a, b) => make(`${a} + ${b}`),
    sub: (a, b) => make(`${a} - ${b}`),
    mul: (a, b) => make(`${a} * ${b}`),
    div: (a, b) => make(`${a} / ${b}`),
    sqrt: (x) => make(`sqrt(${x})`),
    negate: (x) => make(`-${x}`),
    absolute: (x) => make(`abs(${x})`),
    minimum: (a, b) => make(`min(${a}, ${b})`),
    maximum: (a, b) => make(`max(${a}, ${b})`),
    smaller: (a, b) => make(`select(${b}, ${a}, ${a} < ${b})`),
    larger: (a, b) => make(`select(${b}, ${a}, ${b} < ${a})`),
    exp: (x) => make(`exp(${x})`),
    log: (x) => make(`log(${x})`),
    splitPower2: () => {
      throw new Error('WGSL has a logarithm of its own');
    },
    timesPower2: () => {
      throw new Error('WGSL has an exponential of its own');
    },
    whereLess: (a, b, x, y) => make(`select(${y}, ${x}, ${a} < ${b})`),
    roundBf16: (x) => make(bits(`round_bf16_bits${lanes === 1 ? '' : '4'}(${bits(x, 'u32')})`, 'f32')),
  };
}

/** Unsigned words, wrapping. */
export function wordsOf(statements: Statements): Words<string> {
  return {
    constant: (value) => `${value >>> 0}u`,
    add: (a, b) => statements.let(`${a} + ${b}`),
    mul: (a, b) => statements.let(`${a} * ${b}`),
    xor: (a, b) => statements.let(`${a} ^ ${b}`),
    shiftRight: (x, count) => statements.let(`${x} >> ${count}u`),
  };
}
