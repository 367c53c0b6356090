/** How a run of onnxruntime ends: well, with its outputs where they were asked for and nowhere else; or with its error. */
import { afterAll, expect, it } from 'vitest';
import { CpuDevice, f32, matmul, relu, trace } from '../../src/kernels/index.ts';
import { OnnxGraph } from '../../src/kernels/cpu/onnx_graph.ts';
import { OrtTensor } from '../../src/kernels/cpu/onnxruntime.ts';
import { createSession } from '../../src/kernels/cpu/session.ts';

const device = new CpuDevice({ bytes: 2 ** 24 });
afterAll(() => device.close());

const product = async () => {
  const graph = new OnnxGraph();
  const y = graph.one('MatMul', ['a', 'b']);
  const typed = (name: string) => ({ name, type: { dtype: 'f32', shape: [2, 2] } as const });
  return { y, session: await createSession(graph.model('product', [typed('a'), typed('b')], [typed(y)])) };
};

const square = (...values: number[]) => new OrtTensor('float32', Float32Array.from(values), [2, 2]);

it('writes outputs where it is told to', async () => {
  const { y, session } = await product();
  const to = square(0, 0, 0, 0);
  await session.run({ a: square(1, 2, 3, 4), b: square(0, 1, 1, 0) }, { [y]: to });
  await session.release();
  expect([...to.data]).toEqual([2, 1, 4, 3]);
});

it('rejects with what the library says when a run fails', async () => {
  const { y, session } = await product();
  const narrow = new OrtTensor('float32', new Float32Array(2), [1, 2]);
  await expect(session.run({ a: narrow, b: narrow }, { [y]: square(0, 0, 0, 0) })).rejects.toThrow(/MatMul|shape|dim/i);
  await session.release();
});

it('refuses an output in the place of an input, and takes one that is both', async () => {
  const program = trace('both', { x: f32([4, 4]) }, ({ x }) => ({ x, y: relu(matmul(x, x)) }));
  const executable = await device.compile(program);
  const slice = device.slice('both', 2 ** 16);
  const [x, y] = ['x', 'y'].map((name) => slice.tensor(name, 'f32', [4, 4]));
  await expect(executable.run({ x, y: x })).rejects.toThrow(
    'program both: output y is bound to the tensor of an input',
  );
  await executable.run({ x, y });
  slice.release();
});
