/**
 * The experts of a group over a few rows each: all in one call of the device beside one by one, and beside the time in which
 * their weights can be read once. First at one size of an expert, then at one size of all experts together.
 */
import { compileExperts, type ExpertPart } from '../src/actors/mixture/expert_programs.ts';
import { createGroupContexts, type GroupContext } from '../src/actors/mixture/group_context.ts';
import { tensorFor } from '../src/actors/stage/bindings.ts';
import { groupProgram } from '../src/kernels/group_program.ts';
import { bf16, CpuDevice, dynamic, matmul, relu, trace, weight } from '../src/kernels/index.ts';
import type { Bindings, Executable, GroupExecutable, Slice } from '../src/kernels/index.ts';
import { fromBf16, toBf16 } from '../src/kernels/ops/bf16_cast.ts';
import { median } from './report.ts';

const BYTES = 2 ** 31;
const HIDDEN = 128;
const ROWS = 4;
const COUNTS = [8, 64, 256, 2048];
const parts: readonly ExpertPart[] = ['forward', 'backwardInput', 'backwardWeight'];

interface Sizes {
  readonly count: number;
  readonly inner: number;
  /** One in so many experts has rows. */
  readonly oneIn?: number;
}

/** Prints the table of calls. */
export async function expertCalls(rounds: number, bytesPerMs: number): Promise<void> {
  console.log(`  calls of a group on one thread, ${ROWS} rows each, medians of ${rounds}`);
  const sizes: Sizes[] = [
    ...COUNTS.map((count) => ({ count, inner: 256 })),
    { count: 2048, inner: 256, oneIn: 4 },
    ...COUNTS.map((count) => ({ count, inner: (2048 * 32) / count })),
  ];
  for (const each of sizes) await measure(each, rounds, bytesPerMs);
}

async function measure({ count, inner, oneIn = 1 }: Sizes, rounds: number, bytesPerMs: number): Promise<void> {
  const device = new CpuDevice({ bytes: BYTES });
  const program = expertOf(inner);
  const size = { count, rows: count * ROWS, each: ROWS };
  const programs = await compileExperts(device, program, size);
  const slice = device.slice('bench', BYTES);
  const weights = Array.from({ length: count }, () => tensorsOf(slice, programs.backwardWeight, programs.forward));
  const [context] = createGroupContexts(device, slice, { programs, weights, count: 1 });
  const rows = weights.map((_, i) => (i % oneIn === 0 ? ROWS : 0));
  const live = rows.filter((own) => own > 0).length;
  const weightBytes = live * 2 * HIDDEN * inner * 4;
  const some = oneIn === 1 ? '' : `, of whom one in ${oneIn} has rows`;
  const least = (weightBytes / bytesPerMs).toFixed(2);
  console.log(`  ${count} experts of ${HIDDEN} x ${inner}${some}; weights read once at that speed: ${least} ms`);
  const given = { slab: context.slab, own: (owner: number) => context.own[owner], rows };
  for (const part of parts) {
    await programs[part].run(given);
    const before = await inPrograms(device);
    const together = await time(rounds, () => programs[part].run(given));
    const own = together.total - ((await inPrograms(device)) - before);
    const alone = await device.compile(programs[part].program);
    await oneByOne(alone, context, rows);
    const apart = await time(rounds, () => oneByOne(alone, context, rows));
    const [ms, apartMs] = [median(together.times), median(apart.times)];
    console.log(
      `    ${part}: ${ms.toFixed(2)} ms, ${((ms * 1000) / live).toFixed(1)} µs an expert, of which ` +
        `${((own * 1000) / live / together.times.length).toFixed(1)} outside of programs; one by one ${apartMs.toFixed(2)} ms, ` +
        `${(apartMs / ms).toFixed(2)} x; of that ${(ms / (weightBytes / bytesPerMs)).toFixed(2)} x`,
    );
  }
  await device.close();
}

function expertOf(inner: number) {
  const specs = {
    rows_SD: bf16([dynamic('rows', 64), HIDDEN]),
    up: weight([inner, HIDDEN]),
    down: weight([HIDDEN, inner]),
  };
  return trace('expert', specs, ({ rows_SD, up, down }) => {
    const hiddenRows = relu(matmul(fromBf16(rows_SD), up, { transposeB: true }));
    return { outputs_SD: toBf16(matmul(hiddenRows, down, { transposeB: true })) };
  });
}

/** What an owner has for itself in some programs. */
function tensorsOf(slice: Slice, ...groups: readonly GroupExecutable[]): Bindings {
  const own = groups.flatMap(({ program, size }) => groupProgram(program, size).own);
  return Object.fromEntries(own.map(({ name, value }) => [name, tensorFor(slice, name, value.type)]));
}

/** Milliseconds in native, generated and plain code of all programs so far. */
async function inPrograms(device: CpuDevice): Promise<number> {
  const executables = await device.executables();
  return executables.reduce((sum, { times: { nativeMs, wasmMs, hostMs } }) => sum + nativeMs + wasmMs + hostMs, 0);
}

async function time(rounds: number, run: () => Promise<unknown>) {
  const times: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const startMs = performance.now();
    await run();
    times.push(performance.now() - startMs);
  }
  return { times, total: times.reduce((sum, ms) => sum + ms, 0) };
}

/** Each over the first rows of the slab: where they lie makes no difference. */
const oneByOne = (alone: Executable, { slab, own }: GroupContext, rows: readonly number[]) =>
  Promise.all(rows.map((count, i) => alone.run({ ...own[i], ...slab }, { rows: count })));
