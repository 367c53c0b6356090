/**
 * A WebAssembly function while it is written: its parameters, its locals, and its statements in order. What is computed
 * goes into a local at once, so that an expression may be used many times.
 */
import { i32, type Expr, type I32, type Kind, type V128 } from './instructions.ts';

/** A local variable, which is also an expression: its value. */
export interface Local<K extends Kind> extends Expr<K> {
  readonly name: string;
}

export class WasmFunction {
  readonly name: string;
  readonly parameters: readonly string[];
  private readonly locals: string[] = [];
  private readonly hoisted = new Map<string, Local<Kind>>();
  private readonly prologue: string[] = [];
  private readonly lines: string[] = [];
  private depth = 2;
  private labels = 0;

  /** `parameters`: all of kind i32. The function answers 0, or what `refuse` says. */
  constructor(name: string, parameters: readonly string[]) {
    this.name = name;
    this.parameters = parameters;
  }

  parameter(name: string): I32 {
    return { kind: 'i32', wat: `(local.get $${name})` };
  }

  /** A new local with a value. `hint` is for readers of the text. */
  let<K extends Kind>(value: Expr<K>, hint = 't'): Local<K> {
    const local = this.newLocal(value.kind, hint);
    this.set(local, value);
    return local;
  }

  /** A constant, made once before everything else: in a loop the engine would make it anew each time. */
  constant<K extends Kind>(value: Expr<K>): Expr<K> {
    const known = this.hoisted.get(value.wat);
    if (known !== undefined) return { kind: value.kind, wat: known.wat };
    const local = this.newLocal(value.kind, 'c');
    this.hoisted.set(value.wat, local);
    this.prologue.push(`    (local.set $${local.name} ${value.wat})`);
    return local;
  }

  set<K extends Kind>({ name }: Local<K>, value: Expr<K>): void {
    this.line(`(local.set $${name} ${value.wat})`);
  }

  store(address: I32, value: V128, offset = 0): void {
    this.line(`(v128.store offset=${offset} ${address.wat} ${value.wat})`);
  }

  /** Stores one lane of 32 bits, the first unless said otherwise. */
  storeLane32(address: I32, value: V128, offset = 0, lane = 0): void {
    this.line(`(v128.store32_lane offset=${offset} ${lane} ${address.wat} ${value.wat})`);
  }

  /** Stores the lower half. */
  storeLow64(address: I32, value: V128, offset = 0): void {
    this.line(`(v128.store64_lane offset=${offset} 0 ${address.wat} ${value.wat})`);
  }

  /** Runs `body` for i = `from`, `from` + `step` … while i is below `end` (unsigned). */
  loop(from: I32, end: I32, step: number, body: (i: I32) => void): void {
    const i = this.let(from, 'i');
    const label = `$loop${this.labels++}`;
    this.block(`(if ${i32.ltU(i, end).wat} (then (loop ${label}`, ')))', () => {
      body(i);
      this.set(i, i32.add(i, i32.const(step)));
      this.line(`(br_if ${label} ${i32.ltU(i, end).wat})`);
    });
  }

  /** Runs `body` if `condition` is not 0, else `otherwise`. */
  if(condition: I32, body: () => void, otherwise?: () => void): void {
    this.block(`(if ${condition.wat} (then`, otherwise === undefined ? '))' : ')', body);
    if (otherwise !== undefined) this.block('(else', '))', otherwise);
  }

  /** Ends the function with an answer other than 0. */
  refuse(answer: number): void {
    this.line(`(return (i32.const ${answer}))`);
  }

  comment(text: string): void {
    this.line(`;; ${text}`);
  }

  /** The whole function as text. */
  get text(): string {
    return [
      `  (func $${this.name} (export "${this.name}")`,
      ...this.parameters.map((name) => `    (param $${name} i32)`),
      '    (result i32)',
      ...this.locals.map((local) => `    ${local}`),
      ...this.prologue,
      ...this.lines,
      '    (i32.const 0))',
    ].join('\n');
  }

  private newLocal<K extends Kind>(kind: K, hint: string): Local<K> {
    const name = `${hint}${this.locals.length}`;
    this.locals.push(`(local $${name} ${kind})`);
    return { kind, wat: `(local.get $${name})`, name };
  }

  private block(head: string, tail: string, body: () => void): void {
    this.line(head);
    this.depth += 1;
    body();
    this.depth -= 1;
    this.line(tail);
  }

  private line(text: string): void {
    this.lines.push(`${'  '.repeat(this.depth)}${text}`);
  }
}
