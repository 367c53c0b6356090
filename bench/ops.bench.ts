/**
 * Every op on a WebGPU adapter against its plain reference, forward and gradient: what the tests hold of the machines that
 * run them, on a machine that has no more than the benchmarks.
 *
 * `npm run bench -- ops [--device webgpu:0]`
 */
import { parseArgs } from 'node:util';
import { dynamic } from '../src/kernels/shape.ts';
import { vjp } from '../src/kernels/vjp.ts';
import type { WebGpuDevice } from '../src/kernels/webgpu/device.ts';
import { cases, type Case } from '../test/kernels/cases.ts';
import { forwardAndBackward, inputsOf, onDevice, onReference, relativeError } from '../test/kernels/kit.ts';
import { benchAdapter, describeAdapter } from './kernels/adapter.ts';
import { SteadyDevice } from './kernels/steady_device.ts';
import { machine } from './report.ts';

/** Of the largest magnitude of a result. */
const ALLOWED = 1e-4;
/** Rows of a program that takes any number of them; others are made for 17. */
const ROWS = [0, 1, 2, 17];
const MOST_ROWS = 20;

export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { device: { type: 'string' } } });
  const { opened } = await benchAdapter(values.device);
  console.log(`ops: ${machine()}\n  ${describeAdapter(opened)}; wanted: errors below ${ALLOWED} of the largest value`);
  const steady = new SteadyDevice(opened, 2 ** 30);
  let wrong = 0;
  for (const each of cases) {
    const found = await steady.attempt((device) => errorOf(each, device));
    const isRight = typeof found === 'number' && found < ALLOWED;
    if (!isRight) wrong++;
    console.log(
      `  ${isRight ? 'ok   ' : 'WRONG'} ${each.name}: ${typeof found === 'number' ? found.toExponential(1) : found}`,
    );
  }
  await steady.close();
  console.log(`  ${cases.length - wrong} of ${cases.length} agree`);
  if (wrong > 0) process.exitCode = 1;
}

/** The largest error of any result; NaN where one is no number. */
async function errorOf({ rows: kind, fill, build }: Case, device: WebGpuDevice): Promise<number> {
  let worst = 0;
  for (const rows of kind === 'dynamic' ? ROWS : [17]) {
    const v = vjp(build(kind === 'dynamic' ? dynamic('rows', MOST_ROWS) : rows));
    const inputs = inputsOf(v.forward, fill);
    const actual = await forwardAndBackward(onDevice(device), v, inputs, { rows });
    const expected = await forwardAndBackward(onReference, v, inputs, { rows });
    for (const { name } of [...v.forward.outputs, ...v.backward.outputs]) {
      worst = Math.max(worst, relativeError(actual[name], expected[name]));
    }
  }
  return worst;
}
