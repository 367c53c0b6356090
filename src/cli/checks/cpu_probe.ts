/**
 * The probe of the `cpu` device: one matmul, of whole numbers that fp32 holds exactly, against the plain reference, then
 * again and again for the time.
 */
import { answer } from './probe.ts';

const size = 384;
const repeats = 25;

await answer(async () => {
  // Where the library cannot be loaded, the import is what fails.
  const { CpuDevice, f32, matmul, runReference, trace } = await import('../../kernels/index.ts');
  const device = new CpuDevice({ bytes: 2 ** 24 });
  const program = trace('doctor', { a: f32([size, size]), b: f32([size, size]) }, ({ a, b }) => ({ y: matmul(a, b) }));
  const inputs = {
    a: Float32Array.from({ length: size ** 2 }, (_, i) => ((i * 7) % 19) - 9),
    b: Float32Array.from({ length: size ** 2 }, (_, i) => ((i * 11) % 23) - 11),
  };
  const slice = device.slice('doctor', 2 ** 23);
  const tensors = {
    a: slice.tensor('a', 'f32', [size, size]),
    b: slice.tensor('b', 'f32', [size, size]),
    y: slice.tensor('y', 'f32', [size, size]),
  };
  device.write(tensors.a, inputs.a);
  device.write(tensors.b, inputs.b);
  const executable = await device.compile(program);
  const runsMs: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const startMs = performance.now();
    await executable.run(tensors);
    runsMs.push(performance.now() - startMs);
  }
  const expected = runReference(program, inputs).y;
  const correct = (await device.read(tensors.y)).every((value, i) => value === expected[i]);
  const { numericsClass } = device;
  await device.close();
  return { numericsClass, correct, runsMs, flops: 2 * size ** 3 };
});
