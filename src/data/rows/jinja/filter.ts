/** A filter: what a template's `value | NAME(arguments)` computes. Throws `TemplateFault` for values it does not take. */
import type { Args, Value } from './value.ts';

export type Filter = (value: Value, args: Args) => Value;

/** An argument by its place or its name. */
export function argument({ positional, named }: Args, place: number, name: string): Value | undefined {
  return positional[place] ?? named.get(name);
}
