/**
 * Where the time of a training step goes: the quickstart as it is, every message through the codec. Prints the split by
 * program and the share of device work.
 */
import { runSpecOf } from '../src/actors/placement/run_spec.ts';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { packedData } from '../src/run/corpora.ts';
import { eventLogAddress, trainerAddress } from '../src/actors/placement/addresses.ts';
import { EventLog } from '../src/actors/training/event_log.ts';
import { eventLogProtocol } from '../src/actors/protocol/event_log.ts';
import { trainerProtocol } from '../src/actors/protocol/trainer.ts';
import { Run } from '../src/run/run.ts';
import { loadTokenizer } from '../src/data/index.ts';
import type { RunTimes } from '../src/kernels/device.ts';
import type { StepMetrics } from '../src/telemetry/index.ts';
import { parseTopology, type Topology } from '../src/topology/index.ts';
import { machine, median } from './report.ts';

const warmUp = 20;
const measured = 30;

export async function run(): Promise<void> {
  const file = new URL('../configs/quickstart.yaml', import.meta.url);
  const settings = {
    'cluster.workers_per_node': 1,
    'training.steps': warmUp + measured,
    'training.eval_interval': 0,
    'optimizer.warmup_steps': 0,
  };
  const overrides = Object.entries(settings).map(([key, value]) => ({ path: key.split('.'), value, source: key }));
  const topology = parseTopology(readFileSync(file, 'utf8'), file.pathname, overrides);
  const baseDir = fileURLToPath(new URL('.', file));
  const tokenizer = loadTokenizer(topology.data.tokenizer, baseDir);
  const { source } = await packedData(
    { topology, baseDir, signal: new AbortController().signal, observe: () => undefined },
    tokenizer,
  );
  const runSpec = await runSpecOf({ topology, baseDir, vocabulary: tokenizer.vocabSize });
  const run = await Run.start({ runSpec, batches: source, gen: 1 });
  const steps: { readonly metrics: StepMetrics; readonly times: Map<string, RunTimes> }[] = [];
  const { promise: done, resolve } = Promise.withResolvers<undefined>();
  const executables = await run.cluster.executables();
  const observer = {
    step: (metrics: StepMetrics) => {
      steps.push({ metrics, times: snapshot(executables) });
      if (steps.length === warmUp + measured) resolve(undefined);
    },
    evaluated: () => undefined,
    checkpoint: () => undefined,
    lossScale: () => undefined,
    incident: () => undefined,
    unrecorded: () => undefined,
  };
  run.system.spawn(eventLogProtocol, eventLogAddress, () => new EventLog(observer));
  const trainer = run.system.ref(trainerProtocol, trainerAddress);
  const start = { firstStep: 0, updateStep: 0, isNew: false };
  void trainer.ask.train(start, { timeoutMs: 2 ** 31 - 1 }).catch(() => undefined);
  await run.unlessFailed(done);
  await run.stop();
  print(topology, steps.slice(warmUp - 1));
}

function print(topology: Topology, steps: readonly { metrics: StepMetrics; times: Map<string, RunTimes> }[]): void {
  const [first, last] = [steps[0], steps[steps.length - 1]];
  const count = steps.length - 1;
  const stepMs = steps.slice(1).map((step) => step.metrics.step_ms);
  const wallMs = stepMs.reduce((sum, ms) => sum + ms, 0) / count;
  const rows = [...last.times].map(([program, times]) => {
    const before = first.times.get(program) ?? { runs: 0, nativeMs: 0, wasmMs: 0, hostMs: 0 };
    const perStep = (of: (t: RunTimes) => number): number => (of(times) - of(before)) / count;
    return {
      program,
      runs: perStep((t) => t.runs),
      native: perStep((t) => t.nativeMs),
      wasm: perStep((t) => t.wasmMs),
      host: perStep((t) => t.hostMs),
    };
  });
  const native = rows.reduce((sum, row) => sum + row.native, 0);
  const wasm = rows.reduce((sum, row) => sum + row.wasm, 0);
  const host = rows.reduce((sum, row) => sum + row.host, 0);
  const device = native + wasm + host;
  const share = (ms: number): string => `${((100 * ms) / wallMs).toFixed(1)} %`;
  console.log(machine());
  console.log(
    `step of ${topology.name}: ${topology.training.global_batch_size} x ${topology.training.sequence_length} tokens`,
  );
  console.log(
    `${count} steps, median ${median(stepMs).toFixed(0)} ms, mean ${wallMs.toFixed(0)} ms, ${(last.metrics.tokens / median(stepMs)).toFixed(1)} k tokens/s`,
  );
  console.log(
    `device work ${share(device)}: onnxruntime ${share(native)}, generated code ${share(wasm)}, plain reference ${share(host)}; actors, codec, routing ${share(wallMs - device)}`,
  );
  console.log('program'.padEnd(26), 'runs', 'onnx ms'.padStart(9), 'wasm ms'.padStart(9), 'host ms'.padStart(9));
  for (const row of rows.sort((a, b) => b.native + b.wasm + b.host - a.native - a.wasm - a.host)) {
    if (row.runs === 0) continue;
    console.log(
      row.program.padEnd(26),
      row.runs.toFixed(0).padStart(4),
      row.native.toFixed(2).padStart(9),
      row.wasm.toFixed(2).padStart(9),
      row.host.toFixed(2).padStart(9),
    );
  }
}

/** Times by program name; programs of one name (an optimizer's lengths) count together. */
function snapshot(
  executables: readonly { program: { name: string }; times: Readonly<RunTimes> }[],
): Map<string, RunTimes> {
  const sums = new Map<string, RunTimes>();
  for (const { program, times } of executables) {
    const sum = sums.get(program.name) ?? { runs: 0, nativeMs: 0, wasmMs: 0, hostMs: 0 };
    sums.set(program.name, {
      runs: sum.runs + times.runs,
      nativeMs: sum.nativeMs + times.nativeMs,
      wasmMs: sum.wasmMs + times.wasmMs,
      hostMs: sum.hostMs + times.hostMs,
    });
  }
  return sums;
}
