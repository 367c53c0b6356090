/** What it is worth to run the experts of a group side by side: 32 experts, one by one and as one program, by rows of each. */
import { ExpertPrograms, type ExpertPart, type ExpertRun } from '../src/actors/mixture/expert_programs.ts';
import { tensorFor } from '../src/actors/stage/bindings.ts';
import { bf16, CpuDevice, dynamic, matmul, relu, trace, weight, type Tensor } from '../src/kernels/index.ts';
import { fromBf16, toBf16 } from '../src/kernels/ops/bf16_cast.ts';
import { machine, median } from './report.ts';

const EXPERTS = 32;
const ROUNDS = 25;
const BYTES = 2 ** 30;
const parts: readonly ExpertPart[] = ['forward', 'backwardInput', 'backwardWeight'];

export async function run(): Promise<void> {
  console.log(`experts: ${machine()}, ${EXPERTS} experts of a group, one thread, medians of ${ROUNDS}`);
  for (const [hidden, inner] of [
    [128, 256],
    [256, 512],
  ]) {
    const device = new CpuDevice({ bytes: BYTES });
    const { programs, tensors } = await experts(device, hidden, inner);
    for (const part of parts) {
      const times: string[] = [];
      for (const rows of [1, 4, 16, 32]) {
        const runs = tensors.map((bindings): ExpertRun => ({ bindings, rows }));
        const alone = runs.map((each) => [each]);
        const batched = programs.batches(runs).map((batch) => batch.map((i) => runs[i]));
        const [apart, beside] = [await time(programs, part, alone), await time(programs, part, batched)];
        times.push(`${rows} rows ${apart.toFixed(2)} -> ${beside.toFixed(2)} ms`);
      }
      console.log(`  ${hidden} x ${inner}, ${part}: ${times.join(', ')}`);
    }
    await device.close();
  }
}

async function experts(device: CpuDevice, hidden: number, inner: number) {
  const specs = {
    rows_SD: bf16([dynamic('rows', 64), hidden]),
    up: weight([inner, hidden]),
    down: weight([hidden, inner]),
  };
  const program = trace('expert', specs, ({ rows_SD, up, down }) => {
    const hiddenRows = relu(matmul(fromBf16(rows_SD), up, { transposeB: true }));
    return { outputs_SD: toBf16(matmul(hiddenRows, down, { transposeB: true })) };
  });
  const programs = await ExpertPrograms.compile(device, program, { count: EXPERTS, rows: 1 });
  const slice = device.slice('bench', BYTES / 2);
  const { forward, backwardInput, backwardWeight } = programs.derivative;
  const tensors = Array.from({ length: EXPERTS }, () => {
    const bindings: Record<string, Tensor> = {};
    for (const { inputs, outputs } of [forward, backwardInput, backwardWeight]) {
      for (const { name, value } of [...inputs, ...outputs]) bindings[name] ??= tensorFor(slice, name, value.type);
    }
    return bindings;
  });
  return { programs, tensors };
}

async function time(programs: ExpertPrograms, part: ExpertPart, batches: readonly (readonly ExpertRun[])[]) {
  const times: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const startMs = performance.now();
    await Promise.all(batches.map((batch) => programs.run(part, batch)));
    times.push(performance.now() - startMs);
  }
  return median(times);
}
