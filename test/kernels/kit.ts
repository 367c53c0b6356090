/**
 * What the kernel tests share: seeded data, one way to run a program on the plain reference or on a device, and the
 * comparison of results. Data is a pure function of (input name, element index), so that a run of few rows sees the
 * first rows of a run of many.
 */
import type { Device } from '../../src/kernels/device.ts';
import { allocate, type Data } from '../../src/kernels/dtype.ts';
import type { Program } from '../../src/kernels/program.ts';
import { draw, streamOf } from '../../src/kernels/random.ts';
import { runReference } from '../../src/kernels/reference.ts';
import { elements, maxElements, resolve, type LiveSizes } from '../../src/kernels/shape.ts';
import type { Vjp } from '../../src/kernels/vjp.ts';

export type Inputs = Readonly<Record<string, Data>>;
/** Runs a program and returns its outputs, as long as the live sizes say, in memory of their own. */
export type Run = (program: Program, inputs: Inputs, live: LiveSizes) => Promise<Inputs>;
/** Elements of an input that are not plain random numbers: integers, or numbers an op needs apart from one another. */
export type Fill = Readonly<Record<string, (i: number) => number>>;

/** Floats of magnitude 0.1 to 1.1 of both signs (away from the kinks at 0); integers 0, unless `fill` says otherwise. */
export function inputsOf(program: Program, fill: Fill = {}): Record<string, Data> {
  return Object.fromEntries(
    program.inputs.map(({ name, value: { type } }) => {
      const data = allocate(type.dtype, maxElements(type.shape));
      const { a, b } = streamOf(Array.from(name, (_, i) => name.charCodeAt(i)));
      const special = fill[name];
      for (let i = 0; i < data.length; i++) {
        if (special !== undefined) data[i] = special(i);
        else if (type.dtype === 'f32') data[i] = spread(draw(a, b, i));
        else data[i] = 0;
      }
      return [name, data];
    }),
  );
}

function spread(word: number): number {
  const magnitude = 0.1 + (word >>> 8) * 2 ** -24;
  return (word & 1) === 0 ? magnitude : -magnitude;
}

export const onReference: Run = (program, inputs, live) => Promise.resolve(runReference(program, inputs, live));

/** Runs on `device`, in a slice that is released afterwards. Outputs start out as garbage. */
export function onDevice(device: Device): Run {
  return async (program, inputs, live) => {
    const slice = device.slice('test', 2 ** 28);
    const sizes = (shape: Program['inputs'][number]['value']['type']['shape']) =>
      shape.map((dim) => (typeof dim === 'number' ? dim : dim.max));
    const tensors = Object.fromEntries(
      [...program.inputs, ...program.outputs].map(({ name, value: { type } }) => {
        const tensor = slice.tensor(name, type.dtype, sizes(type.shape));
        const garbage = type.dtype === 'f32' ? Number.NaN : 77;
        device.write(tensor, allocate(type.dtype, elements(tensor.shape)).fill(garbage));
        return [name, tensor];
      }),
    );
    for (const { name } of program.inputs) device.write(tensors[name], inputs[name]);
    const executable = await device.compile(program);
    await executable.run(tensors, live);
    const outputs = await Promise.all(
      program.outputs.map(async ({ name, value: { type } }) => {
        const length = elements(resolve(type.shape, live));
        return [name, (await device.read(tensors[name], length)).slice()] as const;
      }),
    );
    const state = program.inputs.filter((b) => b.role === 'state');
    for (const { name } of state) inputs[name].set(await device.read(tensors[name], inputs[name].length));
    slice.release();
    return Object.fromEntries(outputs);
  };
}

/** Outputs of the forward and of `backward` (default: the whole one), for cotangents made like other inputs. */
export async function forwardAndBackward(
  run: Run,
  v: Vjp,
  inputs: Inputs,
  live: LiveSizes,
  backward: readonly Program[] = [v.backward],
): Promise<Inputs> {
  let known: Inputs = { ...inputs, ...(await run(v.forward, inputs, live)) };
  for (const part of backward) {
    const given = { ...inputsOf(part), ...known };
    known = { ...known, ...(await run(part, padded(part, given), live)) };
  }
  return known;
}

/** What came back from a run is as long as it is live; what goes in has room for the maximum. */
function padded(program: Program, given: Inputs): Inputs {
  return Object.fromEntries(
    program.inputs.map(({ name, value: { type } }) => {
      const data = allocate(type.dtype, maxElements(type.shape));
      data.set(given[name]);
      return [name, data];
    }),
  );
}

/** Largest difference, relative to the largest magnitude of `expected` (or to 1 when that is smaller). */
export function relativeError(actual: Data, expected: Data): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let largest = 1;
  for (const value of expected) largest = Math.max(largest, Math.abs(value));
  let error = 0;
  for (let i = 0; i < actual.length; i++) {
    const difference = Math.abs(actual[i] - expected[i]);
    if (Number.isNaN(difference)) return Number.NaN;
    error = Math.max(error, difference);
  }
  return error / largest;
}

/** The raw bytes, so that comparing tells −0 from 0 and one NaN from another. */
export function bytesOf(data: Data): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
