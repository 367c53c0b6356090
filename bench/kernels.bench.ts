/**
 * What each hot operation reaches on a WebGPU adapter, against the device's own peaks and, where there is PyTorch with CUDA,
 * against that; then training end to end on the same adapter.
 *
 * `npm run bench -- kernels [--device webgpu:0] [--dtype f32|f16|bf16] [--quick] [--only TEXT] [--no-training] [--json FILE]`
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { benchAdapter, describeAdapter } from './kernels/adapter.ts';
import { caveatOf, dtypeOf } from './kernels/dtype.ts';
import { trainOnGpu, type Trained } from './kernels/end_to_end.ts';
import { headOf, lineOf, measuredOf, type Measured, type Peaks } from './kernels/measured.ts';
import { memoryCases } from './kernels/memory_cases.ts';
import { productCases } from './kernels/product_cases.ts';
import { scaleFor } from './kernels/scale.ts';
import { SteadyDevice } from './kernels/steady_device.ts';
import { DEVICE_BYTES, msOf, timing } from './kernels/timer.ts';
import { nameOf, timeInTorch } from './kernels/torch_peer.ts';
import { machine } from './report.ts';

const options = {
  device: { type: 'string' },
  dtype: { type: 'string', default: 'f32' },
  quick: { type: 'boolean', default: false },
  only: { type: 'string', default: '' },
  training: { type: 'boolean', default: true },
  json: { type: 'string' },
} as const;

export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options, allowNegative: true });
  const { device: choice, quick, only, training, json } = values;
  const { opened, device } = await benchAdapter(choice);
  const asked = dtypeOf(values.dtype, opened);
  if ('refusal' in asked) {
    console.error(`kernels: ${asked.refusal}`);
    process.exitCode = 2;
    return;
  }
  const { dtype } = asked;
  const scale = scaleFor(opened.isSoftware, quick);
  const [head, ...products] = productCases(scale, dtype);
  // What is bound by memory is fp32 in every run.
  const [copy, ...others] = dtype === 'f32' ? memoryCases(scale) : [];
  // What the others are compared with comes first.
  const firsts = copy === undefined ? [head] : [head, copy];
  const cases = [...firsts, ...[...products, ...others].filter(({ name }) => name.includes(only))];
  const peer = timeInTorch(cases, dtype);
  const caveat = caveatOf(dtype);
  const hasTorch = Object.keys(peer.times).length > 0;
  const lines = [
    `kernels: ${machine()}`,
    `  ${describeAdapter(opened)}; ${dtype}, sizes: ${scale.name}`,
    `  ${peer.found}`,
    `  ${timing(opened.isSoftware)}`,
    ...(caveat === null ? [] : [`  ${caveat}`]),
    '  FLOPs: what the mathematics needs, a multiply-add is two; bytes: operands and results once',
    '  peak: share of the rate of the first product (FLOP/s) or of the first copy (B/s); ratio: time of PyTorch over ours',
    headOf(hasTorch, dtype),
  ];
  console.log(lines.join('\n'));
  const measured: Measured[] = [];
  const failures: { readonly name: string; readonly failure: string }[] = [];
  const peaks: Peaks = {};
  const steady = new SteadyDevice(opened, DEVICE_BYTES);
  for (const each of cases) {
    const reached = await steady.attempt((gpu) => msOf(gpu, each, opened.isSoftware));
    if (typeof reached === 'string') {
      failures.push({ name: nameOf(each), failure: reached });
      console.log(`${nameOf(each)}: FAILED: ${reached}`);
      continue;
    }
    measured.push(measuredOf(each, reached, peaks, peer.times[nameOf(each)] ?? null));
    console.log(lineOf(measured[measured.length - 1], hasTorch));
  }
  await steady.close();
  const write = (trained: readonly Trained[]): void => {
    if (json === undefined) return;
    const { name, backend } = opened;
    const found = { machine: machine(), adapter: { name, backend }, peer: peer.found, scale: scale.name, dtype };
    writeFileSync(json, `${JSON.stringify({ ...found, kernels: measured, failures, trained }, null, 2)}\n`);
  };
  // Training takes longest, and may be cut off.
  write([]);
  if (training) write(await trainOnGpu({ ...opened, device, dtype, only }));
  if (failures.length > 0) process.exitCode = 1;
}
