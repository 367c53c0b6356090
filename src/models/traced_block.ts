/**
 * A block of one shape, traced: one program for all layers that have it, and its weights at any place of a model. A squared
 * ReLU (`mul` of a `relu` by itself) leaves the range of f16 at both ends, so a program with one in it multiplies in fp32 where
 * f16 is asked for.
 */
import type { Value } from '../kernels/graph.ts';
import type { Precision } from '../kernels/precision.ts';
import type { Program } from '../kernels/program.ts';
import { trace, weight, type InputSpec, type Values } from '../kernels/trace.ts';
import type { Weights } from './model.ts';
import { checkReadsBegins } from './segments.ts';
import { LIVE, tapped, tapReads, type Tap, type TapShape } from './taps.ts';

export interface TracedBlock {
  readonly program: Program;
  /** Its weights by the program's names; the names of their parameters continue `place`. */
  readonly weightsAt: (place: string) => Weights;
}

export interface BlockParts {
  readonly name: string;
  /** What it reads, by name: streams of rows and tokens. */
  readonly reads: Readonly<Record<string, InputSpec>>;
  readonly weightsAt: (place: string) => Weights;
  readonly apply: (values: Values<string>, tap: Tap) => Readonly<Record<string, Value>>;
  /** What its taps are of; default: it has none. */
  readonly taps?: TapShape | null;
  /** Of products that name none; default f32. */
  readonly precision?: Precision;
}

/** Traces a block; `apply` may be called twice. Throws what it throws, and `TypeError` where it is to read begins and does not. */
export function tracedBlock({
  name,
  reads,
  weightsAt,
  apply,
  taps = null,
  precision = 'f32',
}: BlockParts): TracedBlock {
  const specs = { ...reads, ...tapReads(taps), ...specsOf(weightsAt('')) };
  const made = (values: Values<string>) => tapped(taps, values[LIVE], (tap) => apply(values, tap));
  const program = trace(name, specs, made, { precision });
  checkReadsBegins(program);
  const isOutOfRange = precision === 'f16' && squaresRelu(program);
  return { program: isOutOfRange ? trace(name, specs, made) : program, weightsAt };
}

/** What `make` makes, once for each key: layers of one shape share a block, and so a device compiles it once. */
export function oncePer<Key, Made>(make: (key: Key) => Made): (key: Key) => Made {
  const known = new Map<Key, Made>();
  return (key) => {
    const made = known.get(key) ?? make(key);
    known.set(key, made);
    return made;
  };
}

/** How a program declares weights. */
export const specsOf = (weights: Weights): Record<string, InputSpec> =>
  Object.fromEntries(Object.entries(weights).map(([name, { shape }]) => [name, weight(shape)]));

function squaresRelu({ nodes }: Program): boolean {
  const unrectified = (value: Value): Value => {
    const node = value.graph.producer(value);
    return node?.op === 'relu' ? node.inputs[0] : value;
  };
  return nodes.some(({ op, inputs: [a, b] }) => {
    if (op !== 'mul' || unrectified(a) !== unrectified(b)) return false;
    return unrectified(a) !== a || unrectified(b) !== b;
  });
}
