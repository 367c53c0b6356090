/**
 * The messages of one training step of the quickstart, recorded as they are delivered: what each was for, and its args.
 * Tensors are copies, since the memory that they came in goes to the next message.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { eventLogAddress, trainerAddress } from '../src/actors/placement/addresses.ts';
import { runSpecOf } from '../src/actors/placement/run_spec.ts';
import { EventLog } from '../src/actors/training/event_log.ts';
import { packedData } from '../src/run/corpora.ts';
import { openBatches } from '../src/run/batch_source.ts';
import { eventLogProtocol } from '../src/actors/protocol/event_log.ts';
import { trainerProtocol } from '../src/actors/protocol/trainer.ts';
import { Run } from '../src/run/run.ts';
import { loadTokenizer } from '../src/data/index.ts';
import type { TensorData } from '../src/runtime/index.ts';
import { parseTopology } from '../src/topology/index.ts';
import type { Route } from '../src/runtime/system/envelope.ts';

export interface Recorded {
  readonly route: Route;
  readonly args: unknown;
}

export interface RecordedStep {
  readonly envelopes: readonly Recorded[];
  /** Of all steps that were run without recording, in milliseconds. */
  readonly stepMs: readonly number[];
}

/** Steps before the one that is recorded, in which routing settles and code gets hot. */
const warmUp = 20;

/** Trains the quickstart in this thread, every message through the codec, until after the step that is recorded. */
export async function recordStep(): Promise<RecordedStep> {
  const file = new URL('../configs/quickstart.yaml', import.meta.url);
  const settings = { 'training.steps': warmUp + 2, 'training.eval_interval': 0, 'optimizer.warmup_steps': 0 };
  const overrides = Object.entries(settings).map(([key, value]) => ({ path: key.split('.'), value, source: key }));
  const topology = parseTopology(readFileSync(file, 'utf8'), file.pathname, overrides);
  const baseDir = fileURLToPath(new URL('.', file));
  const tokenizer = loadTokenizer(topology.data.tokenizer, baseDir);
  const packing = { topology, baseDir, signal: new AbortController().signal, observe: () => undefined };
  const { source } = await packedData(packing, tokenizer);
  const runSpec = await runSpecOf({ topology, baseDir, vocabulary: tokenizer.vocabSize });
  const envelopes: Recorded[] = [];
  const stepMs: number[] = [];
  let step = 0;
  const filter = {
    judge: ({ route, args }: Recorded): null => {
      if (step === warmUp) envelopes.push({ route, args: copyOf(args) });
      return null;
    },
  };
  const batches = openBatches(source, topology);
  const run = await Run.start({ runSpec, batches, gen: 1, system: { filter } });
  const { promise: done, resolve } = Promise.withResolvers<undefined>();
  const observer = {
    step: ({ step_ms: ms }: { step_ms: number }) => {
      if (step !== warmUp) stepMs.push(ms);
      step += 1;
      if (step > warmUp) resolve(undefined);
    },
    evaluated: () => undefined,
    checkpoint: () => undefined,
    lossScale: () => undefined,
    incident: () => undefined,
    unrecorded: () => undefined,
  };
  run.system.spawn(eventLogProtocol, eventLogAddress, () => new EventLog(observer));
  const start = { firstStep: 0, updateStep: 0, isNew: false };
  const trained = run.system.ref(trainerProtocol, trainerAddress).ask.train(start, { timeoutMs: 2 ** 31 - 1 });
  void trained.catch(() => undefined);
  await run.unlessFailed(done);
  await run.stop();
  return { envelopes, stepMs };
}

/** `args` in memory of their own. */
function copyOf(value: unknown): unknown {
  if (isNumbers(value)) return value.slice();
  if (Array.isArray(value)) return value.map(copyOf);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, copyOf(field)]));
}

const isNumbers = (value: unknown): value is TensorData => ArrayBuffer.isView(value) && !(value instanceof DataView);
