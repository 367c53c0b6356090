/**
 * The names that a part of a template sees. A loop's body, a macro and a block have a scope of their own: what they set is
 * not seen outside, but `if` has none. The output is the text written so far and the assistant's turns in it.
 */
import { Undefined, type Value } from './value.ts';

export class Scope {
  readonly #names = new Map<string, Value>();
  readonly #outer: Scope | undefined;
  constructor(outer?: Scope) {
    this.#outer = outer;
  }
  get(name: string): Value {
    return this.#names.get(name) ?? this.#outer?.get(name) ?? new Undefined(`'${name}' is undefined`);
  }
  has(name: string): boolean {
    return this.#names.has(name) || (this.#outer?.has(name) ?? false);
  }
  set(name: string, value: Value): void {
    this.#names.set(name, value);
  }
}

/** Begin and end of a part of a text, in UTF-16 units. */
export interface Span {
  readonly begin: number;
  readonly end: number;
}

export class Output {
  readonly #parts: string[] = [];
  readonly #generations: Span[] = [];
  length = 0;
  write(text: string): void {
    this.#parts.push(text);
    this.length += text.length;
  }
  /** Remembers that what was written from `begin` on is the assistant's. */
  markFrom(begin: number): void {
    this.#generations.push({ begin, end: this.length });
  }
  get text(): string {
    return this.#parts.join('');
  }
  get generations(): readonly Span[] {
    return this.#generations;
  }
}
