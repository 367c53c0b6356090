/**
 * The parameters of a model beside those that a source has of it: each must be there, in its shape, and nothing more. What is
 * not so is told all at once, since whoever mends a folder wants to know all of it.
 */
import { isFloatDtype, type TensorHead } from '../checkpoints/index.ts';
import type { Parameter } from '../models/parameter.ts';
import { castOf, holdersOf } from '../actors/placement/cast.ts';
import type { RunSpec } from '../actors/placement/run_spec.ts';

/** Tensors are not those of the model: some are missing, too much, of another shape, or no floats. */
export class TensorsDiffer extends Error {
  readonly tag = 'TensorsDiffer';
  readonly exitCode = 2;
  constructor(path: string, what: string, remedy: string) {
    super(`${path}: ${what}; ${remedy}`);
    this.name = 'TensorsDiffer';
  }
}

/** All parameters of a run's model by name, in the order in which it uses them. */
export function parametersOf(runSpec: RunSpec): ReadonlyMap<string, Parameter> {
  const holdings = holdersOf(castOf(runSpec)).flatMap(({ share }) => share.holdings);
  return new Map(holdings.map(({ parameter }) => [parameter.name, parameter]));
}

/** Throws `TensorsDiffer` unless the tensors of `path` are the parameters; `remedy` says what to do. */
export function checkTensors(
  path: string,
  heads: ReadonlyMap<string, TensorHead>,
  parameters: ReadonlyMap<string, Parameter>,
  remedy: string,
): void {
  const lacking = [...parameters.keys()].filter((name) => !heads.has(name));
  const extra = [...heads.keys()].filter((name) => !parameters.has(name));
  const others: string[] = [];
  for (const [name, { shape, dtype }] of heads) {
    const wanted = parameters.get(name);
    if (wanted === undefined) continue;
    if (shape.join() !== wanted.shape.join()) others.push(`${name} ${shapeText(shape)} for ${shapeText(wanted.shape)}`);
    else if (!isFloatDtype(dtype)) others.push(`${name} of ${dtype}`);
  }
  const faults = [
    ...(lacking.length === 0 ? [] : [`it lacks ${namesInLine(lacking)}`]),
    ...(extra.length === 0 ? [] : [`it has ${namesInLine(extra)}, which the model has not`]),
    ...(others.length === 0 ? [] : [`it has ${namesInLine(others)}`]),
  ];
  if (faults.length > 0) throw new TensorsDiffer(path, faults.join('; '), remedy);
}

const shapeText = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

/** Names in a line: the first few, and how many more. */
export function namesInLine(names: readonly string[]): string {
  const some = names.slice(0, 4).join(', ');
  return names.length > 4 ? `${some} and ${names.length - 4} more` : some;
}
