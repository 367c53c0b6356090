/**
 * Generating takes a checkpoint and writes text: the model's actors run on one worker, whatever mesh trained them.
 * `troupe generate` calls it.
 */
import { resolve } from 'node:path';
import type { Checkpoint } from '../checkpoints/index.ts';
import { answerEnds, userTurn } from '../data/rows/index.ts';
import { ARENA_LIMIT_BYTES } from '../kernels/arena.ts';
import { sublayersDigest } from '../models/load_sublayers.ts';
import type { Topology } from '../topology/index.ts';
import { noBatches } from '../actors/stage/batch_port.ts';
import { runSpecOf } from '../actors/placement/run_spec.ts';
import { findCheckpoint } from './find_checkpoint.ts';
import { checkForeignCode } from './foreign_code.ts';
import { Generator } from './generator.ts';
import { sublayersDigestOf, topologyOf } from './identity.ts';
import { tokenizerOf } from './corpus_specs.ts';
import { restore, ResumeRefused } from './resume.ts';
import type { GenerateOptions } from './run_port.ts';
import { Run } from './run.ts';
import { vocabularyIn } from './vocabulary.ts';

/** The model of a checkpoint makes no text: its objective has taken the place of the head for that. */
export class NoTextHead extends Error {
  readonly tag = 'NoTextHead';
  readonly exitCode = 2;
  constructor(path: string, objective: string) {
    super(
      `checkpoint ${path}: its model was trained on ${objective} and makes no text; give the checkpoint that it began from`,
    );
    this.name = 'NoTextHead';
  }
}

/**
 * Writes text as it is made; `notice` hears of damaged checkpoints that are passed over. Throws `NoCheckpoint`,
 * `DamagedCheckpoint`, `NoTextHead`, `BadChatTemplate`, `ResumeRefused`, and `CodeNotAllowed` where the checkpoint names a module and `allowCode` is not set.
 */
export async function generate({
  checkpointDir,
  prompt,
  isChat = false,
  maxTokens,
  temperature,
  seed,
  allowCode = false,
  write,
  notice,
}: GenerateOptions): Promise<void> {
  const checkpoint = await findCheckpoint(checkpointDir, notice);
  const topology = singleWorker(checkpoint);
  // Paths in a checkpoint's topology are relative to the run directory, two folders above it.
  const baseDir = resolve(checkpoint.path, '..', '..');
  checkForeignCode(`checkpoint ${checkpoint.path}`, { topology, baseDir, isAllowed: allowCode });
  const digest = checkSublayers(checkpoint, topology, baseDir);
  const tokenizer = tokenizerOf(topology, baseDir);
  const vocabulary = vocabularyIn(checkpoint, tokenizer);
  const runSpec = await runSpecOf({ topology, baseDir, vocabulary, sublayersDigest: digest });
  if (runSpec.single.logits === null) throw new NoTextHead(checkpoint.path, topology.objective.kind);
  const { template_date: date } = topology.data;
  const options = date === undefined ? {} : { date: new Date(date) };
  const asked = isChat
    ? { prompt: userTurn(tokenizer, prompt, options), stopIds: answerEnds(tokenizer, options) }
    : { prompt };
  const run = await Run.start({
    runSpec,
    batches: noBatches,
    gen: checkpoint.manifest.gen + 1,
  });
  try {
    await restore(run.system, checkpoint, run.holders);
    const generator = new Generator(run.cluster, tokenizer, topology);
    // Of a chat one wants the answer; the template is not what the user wrote.
    if (!isChat) write(prompt);
    for await (const text of generator.generate({ ...asked, maxTokens, temperature, seed })) write(text);
  } finally {
    await run.stop();
  }
}

/** The digest of the model's module, read before anything of it runs. Throws `ResumeRefused` where it has changed. */
function checkSublayers(checkpoint: Checkpoint, topology: Topology, baseDir: string): string | null {
  const digest = sublayersDigest(topology, baseDir);
  if (digest === sublayersDigestOf(checkpoint)) return digest;
  throw new ResumeRefused(checkpoint.path, 'the module at model.sublayers has changed since; restore it as it was', 2);
}

/** The checkpoint's topology with every rank on one worker and one sequence at a time. */
function singleWorker(checkpoint: Checkpoint): Topology {
  const trained = topologyOf(checkpoint);
  const { parallelism, training, cluster } = trained;
  // One worker now has what all of them had; pages that nothing touches cost nothing.
  const bytes = cluster.nodes * cluster.workers_per_node * cluster.memory_per_worker;
  const memory = { memory_per_worker: Math.min(bytes, ARENA_LIMIT_BYTES) };
  // A model is bound to no device: what it was trained on may not be there, and the processor writes the same everywhere.
  const single = { ...cluster, workers_per_node: 1, device: 'cpu', ...memory };
  const mesh = { data_parallel: 1, pipeline_parallel: 1, expert_parallel: 1, micro_batches: 1 } as const;
  return {
    ...trained,
    cluster: single,
    parallelism: { ...parallelism, ...mesh },
    training: { ...training, global_batch_size: 1 },
  };
}
