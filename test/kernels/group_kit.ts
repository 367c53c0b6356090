/** Groups in tests: owners with inputs of their own, over tensors of a slab, beside the same owners one by one. */
import type { Bindings, Device, GroupExecutable, GroupSize, Slice, Tensor } from '../../src/kernels/device.ts';
import { allocate, type Data, type DType } from '../../src/kernels/dtype.ts';
import { groupProgram } from '../../src/kernels/group_program.ts';
import { bf16, dynamic, f32, matmul, mul, relu, silu, trace, weight, type Program } from '../../src/kernels/index.ts';
import { fromBf16, toBf16 } from '../../src/kernels/ops/bf16_cast.ts';
import { elements, maxElements } from '../../src/kernels/shape.ts';
import { inputsOf, onDevice } from './kit.ts';

type GroupDevice = Pick<Device, 'slice' | 'write' | 'read' | 'compile'> & {
  compileGroup(program: Program, size: GroupSize): Promise<GroupExecutable>;
};

/** An expert of two products. */
export const reluExpert = (most: number, width = 16, inner = 32): Program =>
  trace(
    'relu_expert',
    { rows: bf16([dynamic('rows', most), width]), up: weight([inner, width]), down: weight([width, inner]) },
    ({ rows, up, down }) => ({
      y: toBf16(matmul(relu(matmul(fromBf16(rows), up, { transposeB: true })), down, { transposeB: true })),
    }),
  );

/** An expert of three, whose rows are no whole vectors by default. */
export const gatedExpert = (most: number, width = 7, inner = 10): Program =>
  trace(
    'gated_expert',
    {
      rows: f32([dynamic('rows', most), width]),
      w1: weight([inner, width]),
      w2: weight([width, inner]),
      w3: weight([inner, width]),
    },
    ({ rows, w1, w2, w3 }) => {
      const gate = silu(matmul(rows, w1, { transposeB: true }));
      return { y: matmul(mul(gate, matmul(rows, w3, { transposeB: true })), w2, { transposeB: true }) };
    },
  );

/** What owner `i` is given: magnitudes of about 1, and of bf16 their bits. */
export function inputsFor({ inputs, ...program }: Program, i: number): Record<string, Data> {
  const fill = (at: number): number => 0x3f00 + ((at * 37 + i * 11) & 0x7f) + ((at % 3) & 1) * 0x8000;
  const halves = inputs.filter(({ value }) => value.type.dtype === 'bf16').map(({ name }) => [name, fill] as const);
  const made = inputsOf({ ...program, inputs }, Object.fromEntries(halves));
  return Object.fromEntries(
    Object.entries(made).map(([name, data]) => [
      name,
      data instanceof Float32Array ? data.map((x) => (x * (i + 3)) / 4) : data,
    ]),
  );
}

const garbage = (dtype: DType, length: number): Data => allocate(dtype, length).fill(dtype === 'f32' ? Number.NaN : 77);

export interface GroupTensors {
  readonly slab: Bindings;
  readonly own: readonly Bindings[];
}

/** Tensors of a group: the slab in `slice`, and what owners have in slices of theirs, filled with what `inputsFor` says. */
export function boundGroup(
  device: GroupDevice,
  program: Program,
  counts: readonly number[],
  { slice, owners }: { readonly slice: Slice; readonly owners: readonly Slice[] },
): GroupTensors {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const group = groupProgram(program, { count: counts.length, rows: total, each: 1 });
  const given = counts.map((_, i) => inputsFor(program, i));
  const filled = (tensor: Tensor, data: Data | undefined): Tensor => {
    device.write(tensor, data ?? garbage(tensor.dtype, elements(tensor.shape)));
    return tensor;
  };
  const slab = group.slab.map(({ name, value: { type } }) => {
    const width = maxElements(type.shape.slice(1));
    // Rows beyond those of all owners are nobody's.
    const data = garbage(type.dtype, (total + 2) * width);
    let at = 0;
    for (const [i, count] of counts.entries()) {
      const own = given[i][name] as Data | undefined;
      if (own !== undefined) data.set(own.subarray(0, count * width), at);
      at += count * width;
    }
    const shape = [total + 2, ...type.shape.slice(1).map(Number)];
    return [name, filled(slice.tensor(name, type.dtype, shape), data)] as const;
  });
  const own = owners.map((ownSlice, i) => {
    const tensors = group.own.map(({ name, value: { type } }) => {
      const tensor = ownSlice.tensor(name, type.dtype, type.shape.map(Number));
      return [name, filled(tensor, given[i][name])] as const;
    });
    return Object.fromEntries(tensors);
  });
  return { slab: Object.fromEntries(slab), own };
}

/** Outputs by owner. */
export async function outputsOfGroup(
  device: GroupDevice,
  program: Program,
  counts: readonly number[],
  { slab, own }: GroupTensors,
): Promise<Record<string, Data>[]> {
  const first = counts.map((_, i) => counts.slice(0, i).reduce((sum, count) => sum + count, 0));
  return await Promise.all(
    counts.map(async (count, i) => {
      const outputs = program.outputs.map(async ({ name, value: { type } }) => {
        const tensor = slab[name] as Tensor | undefined;
        if (tensor === undefined) return [name, (await device.read(own[i][name])).slice()] as const;
        const width = maxElements(type.shape.slice(1));
        return [name, (await device.read(tensor, count * width, first[i] * width)).slice()] as const;
      });
      return Object.fromEntries(await Promise.all(outputs));
    }),
  );
}

/** The same, each owner alone over tensors of its own. */
export function outputsAlone(
  device: Device,
  program: Program,
  counts: readonly number[],
): Promise<Record<string, Data>[]> {
  const run = onDevice(device);
  const alone = counts.map(async (count, i) => ({ ...(await run(program, inputsFor(program, i), { rows: count })) }));
  return Promise.all(alone);
}
