/**
 * Reverse-mode differentiation of a program. `vjp` yields programs again: a forward that also returns its residuals,
 * and a backward, whole or split in the part that others wait for (input gradients) and the part that nobody does
 * (weight gradients). What passes between them is named and typed, so that an actor can keep it in its slice.
 */
import { ProgramError } from './errors.ts';
import { bytesPerElement } from './dtype.ts';
import type { Value } from './graph.ts';
import { add } from './ops/add.ts';
import { extract, type Binding, type Program } from './program.ts';
import type { Type } from './type.ts';
import { maxElements } from './shape.ts';

/** A value that one program hands to a later one. */
export interface Passed {
  readonly name: string;
  readonly type: Type;
}

export interface Vjp {
  /** Inputs as the traced program; outputs as its outputs, then the residuals. */
  readonly forward: Program;
  /** Inputs: weights, kept inputs, residuals and `d_<output>`. Outputs: `d_<input>` of inputs, then of weights. */
  readonly backward: Program;
  /** Only the gradients of inputs, and the carries that `backwardWeight` needs beside residuals. */
  readonly backwardInput: Program;
  /** Only the gradients of weights. */
  readonly backwardWeight: Program;
  /** Program inputs (not weights) that the backward reads again. */
  readonly kept: readonly string[];
  readonly residuals: readonly Passed[];
  readonly carries: readonly Passed[];
}

export interface VjpOptions {
  /** Names of inputs and weights to differentiate by; default: every real input and every weight. */
  readonly wrt?: readonly string[];
  /** Names of inputs to leave out of these. */
  readonly constants?: readonly string[];
  /** Names of outputs that carry a gradient; default: every real output. */
  readonly from?: readonly string[];
}

/**
 * Differentiates `program`. Throws `ProgramError` when an op on the way has no gradient, or when a name is unknown.
 */
export function vjp(program: Program, options: VjpOptions = {}): Vjp {
  const { name } = program;
  const { constants = [] } = options;
  const wrt = program.inputs.filter((b) => {
    if (constants.includes(b.name)) return false;
    return options.wrt ? options.wrt.includes(b.name) : isReal(b.value) && b.role !== 'state';
  });
  const from = program.outputs.filter((b) => (options.from ? options.from.includes(b.name) : isReal(b.value)));
  const first = program.inputs[0];
  if (first === undefined || wrt.length === 0) throw new ProgramError(name, 'has nothing to differentiate by');
  const graph = first.value.graph;

  const active = dependents(program, new Set(wrt.map((b) => b.value)));
  const cotangentInputs = from.map((b): Binding => ({
    name: `d_${b.name}`,
    role: 'input',
    value: graph.value(b.value.type),
  }));
  const cotangents = new Map<Value, Value>();
  const addTo = (value: Value, cotangent: Value): void => {
    const sum = cotangents.get(value);
    cotangents.set(value, sum === undefined ? cotangent : add(sum, cotangent));
  };
  from.forEach((b, i) => addTo(b.value, cotangentInputs[i].value));

  for (const node of [...program.nodes].reverse()) {
    const flowing = node.outputs.map((output) => cotangents.get(output) ?? null);
    if (flowing.every((c) => c === null) || !node.inputs.some((v) => active.has(v))) continue;
    if (node.gradient === null) throw new ProgramError(name, `${node.op} has no gradient`);
    node.gradient({ inputs: node.inputs, outputs: node.outputs, cotangents: flowing }).forEach((cotangent, i) => {
      const value = node.inputs[i];
      if (cotangent !== null && active.has(value)) addTo(value, cotangent);
    });
  }

  const gradients = wrt.map((b) => {
    const value = cotangents.get(b.value);
    if (value === undefined) throw new ProgramError(name, `no gradient reaches ${b.name}`);
    return { name: `d_${b.name}`, role: b.role, value };
  });
  const ofInputs = gradients.filter((b) => b.role === 'input');
  const ofWeights = gradients.filter((b) => b.role === 'weight');

  const forwardMade = new Set(program.nodes.flatMap((node) => node.outputs));
  const outputNames = new Map(program.outputs.map((b) => [b.value, b.name]));
  const crossing = inputsOf([...gradients.map((b) => b.value)], (v) => forwardMade.has(v));
  const residuals = withoutCheap(crossing, program, gradients)
    .sort((a, b) => a.id - b.id)
    .map((value) => ({ name: outputNames.get(value) ?? `r${value.id}`, role: 'input' as const, value }));
  const given = [...program.inputs, ...residuals, ...cotangentInputs];

  const backward = prune(extract(`${name}.backward`, given, gradients));
  const inputNodes = extract(`${name}.backward_input`, given, ofInputs).nodes;
  const madeByInputPart = new Set(inputNodes.flatMap((node) => node.outputs));
  const givenValues = new Set(given.map((b) => b.value));
  const carries = [
    ...inputsOf(
      ofWeights.map((b) => b.value),
      (v) => madeByInputPart.has(v),
      givenValues,
    ),
  ]
    .sort((a, b) => a.id - b.id)
    .map((value) => ({ name: `c${value.id}`, role: 'input' as const, value }));
  return {
    forward: extract(`${name}.forward`, program.inputs, [
      ...program.outputs,
      ...residuals.filter((r) => !outputNames.has(r.value)),
    ]),
    backward,
    backwardInput: prune(extract(`${name}.backward_input`, given, [...ofInputs, ...carries])),
    backwardWeight: prune(extract(`${name}.backward_weight`, [...given, ...carries], ofWeights)),
    kept: backward.inputs.filter((b) => program.inputs.includes(b) && b.role === 'input').map((b) => b.name),
    residuals: residuals.map(({ name: n, value }) => ({ name: n, type: value.type })),
    carries: carries.map(({ name: n, value }) => ({ name: n, type: value.type })),
  };
}

/** Bytes that a list of passed values takes at the maximum of every dynamic dimension. */
export function passedBytes(passed: readonly Passed[]): number {
  return passed.reduce((sum, { type }) => sum + bytesOf(type), 0);
}

const bytesOf = ({ dtype, shape }: Type): number => maxElements(shape) * bytesPerElement[dtype];

/** Gradients flow through real numbers; the cotangent of a bf16 value is bf16. */
function isReal(value: Value): boolean {
  return value.type.dtype === 'f32' || value.type.dtype === 'bf16';
}

/**
 * Of the values that pass from forward to backward those that have to be kept: not what cheap ops make of weights, of
 * inputs that the backward reads anyhow or that are smaller, and of values that are kept themselves.
 */
function withoutCheap(crossing: ReadonlySet<Value>, program: Program, gradients: readonly Binding[]): Value[] {
  const inputs = new Set(program.inputs.map((b) => b.value));
  const there = new Set(program.inputs.filter((b) => b.role === 'weight').map((b) => b.value));
  const states = new Set(program.inputs.filter((b) => b.role === 'state').map((b) => b.value));
  const isEnd = (value: Value): boolean => crossing.has(value) || inputs.has(value);
  inputsOf(
    gradients.map((b) => b.value),
    isEnd,
  ).forEach((value) => there.add(value));
  const isMadeAgain = (made: Value): boolean => {
    const bytes = bytesOf(made.type);
    const known = new Map<Value, boolean>();
    const isThere = (value: Value): boolean => {
      const answer = known.get(value) ?? (there.has(value) || (inputs.has(value) ? isSmall(value) : isCheap(value)));
      known.set(value, answer);
      return answer;
    };
    // State may be another by then.
    const isSmall = (value: Value): boolean => !states.has(value) && bytesOf(value.type) < bytes;
    const isCheap = (value: Value): boolean => {
      const node = value.graph.producer(value);
      return node?.cheap === true && node.inputs.every(isThere);
    };
    return isCheap(made);
  };
  return [...crossing].filter((value) => !isMadeAgain(value));
}

/** Values that depend on one of `seeds`. */
function dependents(program: Program, seeds: ReadonlySet<Value>): ReadonlySet<Value> {
  const active = new Set(seeds);
  for (const node of program.nodes) {
    if (node.inputs.some((v) => active.has(v))) node.outputs.forEach((v) => active.add(v));
  }
  return active;
}

/** The nearest values satisfying `stop` on every path back from `values`; paths also end at `bounds`. */
function inputsOf(
  values: readonly Value[],
  stop: (value: Value) => boolean,
  bounds: ReadonlySet<Value> = new Set(),
): ReadonlySet<Value> {
  const found = new Set<Value>();
  const seen = new Set<Value>();
  const visit = (value: Value): void => {
    if (seen.has(value)) return;
    seen.add(value);
    if (bounds.has(value)) return;
    if (stop(value)) found.add(value);
    else value.graph.producer(value)?.inputs.forEach(visit);
  };
  values.forEach(visit);
  return found;
}

/** The program without the inputs that it does not read. */
function prune(program: Program): Program {
  const read = new Set([...program.nodes.flatMap((node) => node.inputs), ...program.outputs.map((b) => b.value)]);
  return { ...program, inputs: program.inputs.filter((b) => read.has(b.value)) };
}
