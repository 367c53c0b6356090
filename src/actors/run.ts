/**
 * A training run from a topology: corpora, company, training loop, sample. What `troupe launch` calls; the only writer
 * of the run directory's logs and checkpoints.
 */
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { numericsClassOf } from '../kernels/cpu/device.ts';
import { CheckpointStore, type Checkpoint, type Json } from '../checkpoints/index.ts';
import { loadTokenizer, Order1, type Blend, type HeldOutWindows } from '../data/index.ts';
import { EventsLog, MetricsLog } from '../telemetry/index.ts';
import { countParameters, meshOf, modelSizesOf, rebaseTopology, toPlain, type Topology } from '../topology/index.ts';
import { describeError } from '../runtime/index.ts';
import { checkpointerAddress, trainerAddress } from './addresses.ts';
import type { Batches } from './batches.ts';
import { batchesOf } from './batch_source.ts';
import { Checkpointer } from './checkpointer.ts';
import { packedBlend } from './corpora.ts';
import { FileDecisionStore } from './decision_store.ts';
import { Generator } from './generator.ts';
import { checkpointerProtocol, trainerProtocol, type TrainingOutcome } from './protocol/trainer.ts';
import { checkIdentity, identityOf, ResumeRefused, restore } from './resume.ts';
import type { RunOptions, RunOutcome } from './run_port.ts';
import { Trainer } from './trainer.ts';
import { Troupe } from './troupe.ts';

const sample = { prompt: 'The ', maxTokens: 240, temperature: 0.7 };

/** Trains, and returns how it ended. Throws the errors of every layer, each with its one line. */
export async function run(options: RunOptions): Promise<RunOutcome> {
  const { topology, baseDir, runDir, observe, signal } = options;
  const store = await CheckpointStore.forWriting(join(runDir, 'checkpoints'));
  // A run that ended before its first checkpoint begins again.
  const found = options.resume && (await store.list()).length > 0 ? await newest(store, options) : null;
  using logs = new RunLogs(runDir, found);

  observe({ kind: 'phase', text: 'packing corpora' });
  const tokenizer = loadTokenizer(topology.data.tokenizer, baseDir);
  let packed: Awaited<ReturnType<typeof packedBlend>>;
  try {
    packed = await packedBlend(topology, baseDir, tokenizer, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    return { status: 'interrupted', step: found?.manifest.step ?? 0, evalLoss: null, order1Loss: null, runDir };
  }
  const { blend, source } = packed;
  if (found !== null && found.manifest.corpusDigest !== blend.digest) {
    throw new ResumeRefused(
      found.path,
      'the corpora are not those it was trained on; restore the files, or start a new run',
    );
  }
  const batches = batchesOf(blend, topology, meshOf(topology).globalMicrobatches);
  const { heldOut } = batches;
  if (heldOut.rows < heldOut.asked) {
    observe({
      kind: 'notice',
      text: `held-out text has room for ${heldOut.rows} of ${heldOut.asked} evaluation sequences`,
    });
  }

  observe({ kind: 'phase', text: 'compiling programs' });
  // Above every checkpoint's, the damaged ones' too: their names are taken.
  const gen = 1 + Math.max(0, ...(await store.list()).map((name) => name.gen));
  const troupe = await Troupe.start({
    topology,
    vocabulary: tokenizer.vocabSize,
    batches: topology.cluster.workers_per_node > 1 ? source : batches,
    gen,
  });
  try {
    if (found !== null) await takeUp(troupe, found, topology);
    // Only now is it sure that the run goes on from there.
    logs.metrics.truncateAfter(found?.manifest.step ?? 0);
    const parameters = countParameters(modelSizesOf(topology, tokenizer.vocabSize));
    const { global_batch_size: globalBatchSize, sequence_length: sequenceLength } = topology.training;
    const { workers_per_node: workers } = topology.cluster;
    const tokensPerStep = globalBatchSize * sequenceLength;
    observe({
      kind: 'ready',
      parameters: parameters.total,
      activeParameters: parameters.active,
      tokensPerStep,
      workers,
      nodes: 1,
    });
    const baseline = order1Of(blend, heldOut);
    const outcome = await train(options, { troupe, batches, store, logs, blend, found, baseline });
    if (outcome.status === 'done') {
      const generator = new Generator(troupe.system, tokenizer, sequenceLength, topology.parallelism.pipeline_parallel);
      let text = '';
      for await (const part of generator.generate({ ...sample, seed: topology.training.seed })) {
        text += part;
        if (signal.aborted) break;
      }
      observe({ kind: 'sample', prompt: sample.prompt, text });
    }
    logs.events.append(outcome.status, { step: outcome.step });
    return { ...outcome, order1Loss: outcome.evalLoss === null ? null : baseline(), runDir };
  } catch (error) {
    logs.events.append('failed', { error: describeError(error) });
    throw error;
  } finally {
    await troupe.stop();
  }
}

/** The files that a run writes as it goes. */
class RunLogs implements Disposable {
  readonly metrics: MetricsLog;
  readonly events: EventsLog;
  readonly decisions: FileDecisionStore;

  /** Opened to go on from `found`; without it whatever an earlier attempt logged and decided is gone. */
  constructor(runDir: string, found: Checkpoint | null) {
    const decisions = join(runDir, 'decisions.jsonl');
    if (found === null) rmSync(decisions, { force: true });
    this.metrics = new MetricsLog(join(runDir, 'metrics.jsonl'));
    this.events = new EventsLog(join(runDir, 'events.jsonl'));
    this.decisions = new FileDecisionStore(decisions);
  }

  [Symbol.dispose](): void {
    this.metrics.close();
    this.events.close();
    this.decisions.close();
  }
}

interface Parts {
  readonly troupe: Troupe;
  readonly batches: Batches;
  readonly store: CheckpointStore;
  readonly logs: RunLogs;
  readonly blend: Blend;
  readonly found: Checkpoint | null;
  readonly baseline: () => number | null;
}

async function train(options: RunOptions, parts: Parts): Promise<TrainingOutcome> {
  const { topology, baseDir, runDir, observe, signal } = options;
  const { troupe, batches, store, logs, blend, found, baseline } = parts;
  const { system, mesh } = troupe;
  const fields = {
    runId: found?.manifest.runId ?? randomUUID(),
    numericsClass: numericsClassOf(),
    corpusDigest: blend.digest,
    model: identityOf(topology),
    topology: JSON.parse(JSON.stringify(toPlain(rebaseTopology(topology, baseDir, resolve(runDir))))) as Json,
  };
  const observer = {
    step: (metrics: Parameters<MetricsLog['append']>[0]) => {
      logs.metrics.append(metrics);
      observe({ kind: 'step', metrics });
    },
    evaluated: (step: number, evalLoss: number) => {
      logs.events.append('evaluated', { step, evalLoss });
      observe({ kind: 'evaluated', step, evalLoss, order1Loss: baseline() });
    },
    checkpoint: (step: number, path: string) => {
      logs.events.append('checkpoint', { step, path });
      observe({ kind: 'checkpoint', step, path });
    },
    incident: (step: number, remedy: string, evidence: string) => {
      logs.events.append('incident', { step, remedy, evidence });
      observe({ kind: 'notice', text: `step ${step}: ${evidence}; remedy: ${remedy}` });
    },
  };
  logs.events.append(found === null ? 'started' : 'resumed', { gen: system.gen, step: found?.manifest.step ?? 0 });
  const checkpointerParts = { holders: troupe.holders, store, keep: topology.checkpoint.keep, fields };
  system.spawn(checkpointerProtocol, checkpointerAddress, (scope) => new Checkpointer(checkpointerParts, scope));
  const trainerParts = {
    topology,
    mesh,
    decisions: logs.decisions,
    evaluationMicrobatches: batches.evaluationMicrobatches,
    observer,
    bytesSent: () => ({ local: system.counters.bytesSent }),
  };
  const trainer = system.spawn(trainerProtocol, trainerAddress, (scope) => new Trainer(trainerParts, scope));
  signal.addEventListener('abort', () => trainer.tell.interrupt(), { once: true });
  if (signal.aborted) trainer.tell.interrupt();
  const from = { firstStep: found?.manifest.step ?? 0, updateStep: found?.manifest.updateStep ?? 0 };
  return await troupe.unlessFailed(trainer.ask.train(from, { timeoutMs: forever }));
}

/** Longer than any run. */
const forever = 2 ** 31 - 1;

async function newest(store: CheckpointStore, { topology, observe }: RunOptions): Promise<Checkpoint> {
  const { checkpoint, refused } = await store.openNewestValid();
  for (const error of refused) observe({ kind: 'notice', text: error.message });
  checkIdentity(checkpoint, topology);
  return checkpoint;
}

/** Gives the roles their state back. Throws `ResumeRefused`. */
async function takeUp(troupe: Troupe, found: Checkpoint, topology: Topology): Promise<void> {
  const { numericsClass } = found.manifest;
  if (numericsClass !== numericsClassOf() && !topology.recovery.allow_class_change) {
    const what = `it was made on ${numericsClass}, this is ${numericsClassOf()}, which rounds otherwise; set recovery.allow_class_change=true`;
    throw new ResumeRefused(found.path, what);
  }
  await restore(troupe.system, found, troupe.holders);
}

/** The order-1 model's held-out loss, computed when first asked for; null for vocabularies too large to count. */
function order1Of(blend: Blend, heldOut: HeldOutWindows): () => number | null {
  let loss: number | null | undefined;
  return () => (loss ??= blend.vocabSize <= 512 && heldOut.rows > 0 ? Order1.fit(blend).loss(heldOut) : null);
}
