/**
 * Training takes a topology through a whole run: corpora, cluster, training loop, sample. `troupe launch` calls it; it
 * is the only writer of the run directory's logs and checkpoints.
 */
import { randomUUID } from 'node:crypto';
import { join, resolve } from 'node:path';
import { CheckpointStore, type Checkpoint, type Json } from '../checkpoints/index.ts';
import { Blend, Order1, PackedCorpus, type Tokenizer } from '../data/index.ts';
import { countParameters } from '../models/costs.ts';
import { sublayersDigest } from '../models/load_sublayers.ts';
import { compactHeap } from '../runtime/cluster/index.ts';
import { rebaseTopology, toPlain, type Topology } from '../topology/index.ts';
import { checkpointerAddress, eventLogAddress } from '../actors/placement/addresses.ts';
import { batchesOf } from './batch_source.ts';
import { runSpecOf, type RunSpec } from '../actors/placement/run_spec.ts';
import { Checkpointer } from '../actors/training/checkpointer.ts';
import type { WorkerDevice } from './chosen_device.ts';
import { EventLog } from '../actors/training/event_log.ts';
import { closingSample } from './closing_sample.ts';
import { packedData, type PackedData } from './corpora.ts';
import { tokenizerOf } from './corpus_specs.ts';
import { checkCorpora, withWeightsOf } from './data_identity.ts';
import { Generator } from './generator.ts';
import type { NodeLife } from './gathering.ts';
import { identityOf } from './identity.ts';
import { eventLogProtocol } from '../actors/protocol/event_log.ts';
import { checkpointerProtocol } from '../actors/protocol/trainer.ts';
import type { RoutingSource } from './open_routing.ts';
import { RunLogs } from './run_logs.ts';
import type { TrainOptions, RunOutcome } from './run_port.ts';
import { cutRecord, routingSourceOf } from './routing_source.ts';
import { openRunServer } from './run_server.ts';
import type { RunServer } from './run_server_port.ts';
import { begin, startingPointOf, type StartingPoint } from './starting_point.ts';
import { trainInStretches, type Ended } from './stretches.ts';
import { newestOf, takeUp } from './take_up.ts';
import { Run } from './run.ts';
import { tunedDevices } from './tuned_devices.ts';
import { vocabularyIn, vocabularyOf } from './vocabulary.ts';

/** Trains, and returns how it ended. Throws the errors of every layer, each with its one line. */
export async function train(options: TrainOptions): Promise<RunOutcome> {
  const { topology, baseDir, runDir, observe, signal } = options;
  const store = await CheckpointStore.forWriting(join(runDir, 'checkpoints'));
  const tokenizer = tokenizerOf(topology, baseDir);
  // A module of sublayers is hashed and compared before it is imported.
  const { sublayersDigest: digest = sublayersDigest(topology, baseDir) } = options;
  // A run that ended before its first checkpoint begins again; one that has steps had a checkpoint before them.
  const hasBegun = (await store.list()).length > 0 || RunLogs.hasSteps(runDir);
  const newest =
    options.resume && hasBegun ? await newestOf(store, { topology, sublayersDigest: digest }, observe) : null;
  const found = newest?.checkpoint ?? null;
  const vocabulary = found === null ? vocabularyOf(topology, tokenizer) : vocabularyIn(found, tokenizer);
  const runSpec = await runSpecOf({ topology, baseDir, vocabulary, sublayersDigest: digest });
  const notice = (text: string): void => observe({ kind: 'notice', text });
  const start = found === null ? await startingPointOf(runSpec, tokenizer, notice) : null;
  using logs = new RunLogs(runDir, found === null);
  for (const { path, message } of newest?.refused ?? []) logs.events.append('refused', { path, reason: message });

  const resumed = { ...options, topology: withWeightsOf(found, topology) };
  // Before its first step a run has nothing to write down.
  const atStart = { step: found?.manifest.step ?? 0, evalLoss: null, order1Loss: null };
  const interrupted: RunOutcome = { status: 'interrupted', ...atStart, runDir };
  observe({ kind: 'phase', text: 'packing corpora' });
  let packed: PackedData;
  try {
    packed = await packedData(resumed, tokenizer);
  } catch (error) {
    if (!signal.aborted) throw error;
    return interrupted;
  }
  const { corpora, source } = packed;
  if (found !== null) checkCorpora(found, source.digest, resumed);
  const batches = batchesOf(packed, topology);
  const { evaluations } = batches;
  for (const remark of batches.remarks) notice(remark);

  const started = ({ node: name }: NodeLife, pid: number): void => {
    logs.events.append('node', { name, pid });
    observe({ kind: 'node', name, pid });
  };
  const runId = found?.manifest.runId ?? randomUUID();
  const goesOnFrom = found?.manifest.step ?? null;
  const routing = await routingSourceOf({ runSpec, runDir, runId, source, evaluations, goesOnFrom });
  let server: RunServer | null = null;
  try {
    server = await openRunServer(topology, { baseDir, runDir, notice, signal });
    observe({ kind: 'phase', text: server === null ? 'compiling programs' : 'starting nodes, compiling programs' });
    const { cluster } = topology;
    const isInThread = server === null && cluster.workers_per_node === 1;
    const run = await Run.start({
      runSpec,
      batches: isInThread ? batches : source,
      // Above every checkpoint's, the damaged ones' too: their names are taken.
      gen: 1 + Math.max(0, ...(await store.list()).map((name) => name.gen)),
      evaluations,
      routing,
      fresh: found === null ? (start?.fresh ?? null) : [],
      ...(server === null
        ? { decisions: logs.decisions }
        : { nodes: { server, name: clusterName(topology), runId, notice, started, signal } }),
    });
    try {
      for (const { node, worker, device, adapter, reason } of run.cluster.devices) {
        logs.events.append('device', { node, worker, device, adapter, reason });
      }
      const tuned = await run.unlessFailed(tunedDevices(run.cluster));
      for (const { node, worker, adapter, numericsClass, choices } of tuned) {
        logs.events.append('tuned', { node, worker, adapter, numericsClass, choices });
      }
      // The processor for all is what one expects.
      if (cluster.device !== 'cpu') for (const line of new Set(run.cluster.devices.map(deviceLine))) notice(line);
      if (found !== null) await run.unlessFailed(takeUp(run, found, topology));
      if (start !== null) {
        await run.unlessFailed(begin(run, start));
        logs.events.append('started_from', { path: start.source.path, step: start.step, digest: start.digest });
      }
      // Only now is it sure that the run goes on from there.
      const lost = logs.cutTo(found?.manifest ?? { step: 0, updateStep: 0 });
      if (routing?.record != null) await cutRecord(routing.record, goesOnFrom ?? 0);
      if (lost.length > 0) {
        logs.events.append('lost', { steps: rangesOf(lost) });
        notice(
          `metrics.jsonl has no line of steps ${rangesOf(lost)}: they were lost, and the run goes on to the same numbers without them`,
        );
      }
      if (found !== null) notice(`resumed from step ${found.manifest.step} of ${found.path}`);
      compactHeap();
      const parameters = countParameters(runSpec.model, runSpec.config);
      observe({
        kind: 'ready',
        parameters: parameters.total,
        activeParameters: parameters.active,
        tokensPerStep: topology.training.global_batch_size * topology.training.sequence_length,
        workers: cluster.nodes * cluster.workers_per_node,
        nodes: cluster.nodes,
      });
      const baseline = order1Of(packed, topology.training);
      const { digest } = source;
      const parts = { runSpec, run, store, logs, digest, tokenizer, found, start, routing, runId, baseline };
      const outcome = await trainSteps(resumed, parts);
      if (outcome.status === 'done') {
        const generator = new Generator(run.cluster, tokenizer, topology);
        const sample = await run.unlessFailed(closingSample(generator, { topology, tokenizer, corpora, signal }));
        if (sample !== null) observe({ kind: 'sample', ...sample });
      }
      logs.events.append(outcome.status, { step: outcome.step });
      return { ...outcome, order1Loss: outcome.evalLoss === null ? null : baseline(), runDir };
    } finally {
      await run.stop();
    }
  } catch (error) {
    if (signal.aborted && error === signal.reason) return interrupted;
    logs.failed(error);
    throw error;
  } finally {
    await server?.close();
  }
}

interface Parts {
  readonly runSpec: RunSpec;
  readonly run: Run;
  readonly store: CheckpointStore;
  readonly logs: RunLogs;
  /** Of the corpora. */
  readonly digest: string;
  readonly tokenizer: Tokenizer;
  readonly found: Checkpoint | null;
  readonly start: StartingPoint | null;
  readonly routing: RoutingSource | null;
  readonly runId: string;
  readonly baseline: () => number | null;
}

async function trainSteps(options: TrainOptions, parts: Parts): Promise<Ended> {
  const { topology, baseDir, runDir, observe, signal } = options;
  const { runSpec, run, store, logs, routing, start, digest, tokenizer, found, runId, baseline } = parts;
  const { system, cluster } = run;
  const fields = {
    runId,
    numericsClass: cluster.numericsClass,
    corpusDigest: digest,
    model: { ...identityOf(runSpec), vocabulary: runSpec.vocabulary, tokenizer: tokenizer.identity },
    topology: JSON.parse(JSON.stringify(toPlain(rebaseTopology(topology, baseDir, resolve(runDir))))) as Json,
  };
  const observer = logs.observer(observe, baseline);
  system.spawn(eventLogProtocol, eventLogAddress, () => new EventLog(observer));
  const { keep } = topology.checkpoint;
  const onPruned = (names: readonly string[]): void => {
    const removed = names.join(', ');
    logs.events.append('pruned', { removed });
    observe({ kind: 'notice', text: `the disk is full: removed ${removed} to make room for the next checkpoint` });
  };
  const holders = (): Run['holders'] => run.holders;
  const checkpointerParts = { holders, store, keep, fields, syncLogs: () => logs.sync(), onPruned };
  system.spawn(checkpointerProtocol, checkpointerAddress, (scope) => new Checkpointer(checkpointerParts, scope));
  const step = found?.manifest.step ?? 0;
  logs.events.append(found === null ? 'started' : 'resumed', { gen: system.gen, step });
  return await trainInStretches({ run, runSpec, store, logs, routing, start, observe, signal }, found);
}

/** Steps as a text of ranges, such as `3, 17 to 30`. */
function rangesOf(steps: readonly number[]): string {
  const begins = steps.filter((step, i) => step !== steps[i - 1] + 1);
  const ends = steps.filter((step, i) => step !== steps[i + 1] - 1);
  return begins.map((begin, i) => (begin === ends[i] ? String(begin) : `${begin} to ${ends[i]}`)).join(', ');
}

const deviceLine = ({ adapter, reason }: WorkerDevice): string => `device: ${adapter ?? 'cpu'} (${reason})`;

/** The topology's name, as far as a name of a cluster goes. */
const clusterName = ({ name }: Topology): string => name.replaceAll(/[^a-zA-Z0-9_-]/g, '_').slice(0, 64);

/** The order-1 model's held-out loss, computed when first asked for; null where there are no texts, or too many tokens to count. */
function order1Of({ corpora, source }: PackedData, training: Topology['training']): () => number | null {
  const texts = corpora.filter((corpus) => corpus instanceof PackedCorpus);
  if (texts.length < corpora.length || texts[0].index.vocabSize > 512) return () => null;
  let loss: number | null | undefined;
  return () => {
    const blend = new Blend(texts, source.weights, training.seed);
    const heldOut = blend.heldOut(training.sequence_length, training.eval_sequences);
    return (loss ??= heldOut.count > 0 ? Order1.fit(blend).loss(heldOut) : null);
  };
}
