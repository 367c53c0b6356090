/**
 * The routing source of a run is made before its roles are: what a record of it is of follows from the run spec and its data, and
 * what is wrong with a folder is found before anything has been computed.
 */
import { createHash } from 'node:crypto';
import { accessSync, constants, mkdirSync, readdirSync, truncateSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { RunSpec } from '../actors/placement/run_spec.ts';
import { trainingPass, type Unit } from '../actors/protocol/pass.ts';
import { dueAfter } from '../actors/training/due.ts';
import type { Evaluation } from '../actors/training/evaluation.ts';
import { mixturesOf } from '../models/model.ts';
import { codeOf, diskRemedy } from '../system_error.ts';
import { choicesOf, type Topology } from '../topology/index.ts';
import type { BatchSource } from './batch_source.ts';
import type { RoutingSource } from './open_routing.ts';
import { lacking, RecordedChoices, recordFiles } from './recorded_choices.ts';
import { recordedLines } from './recorded_lines.ts';
import { DamagedRouting, RoutingRefused } from './routing_errors.ts';
import { headerSchema, isRecordFile, parsed, type RecordedRun } from './routing_format.ts';

export interface RoutedRun {
  readonly runSpec: RunSpec;
  readonly runDir: string;
  readonly runId: string;
  readonly source: Pick<BatchSource, 'digest' | 'evaluations'>;
  readonly evaluations: readonly Evaluation[];
  /** Data steps that are done; null: the run is new. */
  readonly goesOnFrom: number | null;
}

/** Checks the folders of `moe.record` and `moe.replay`; null where the run has neither. Throws `RoutingRefused`, `DamagedRouting`. */
export async function routingSourceOf(given: RoutedRun): Promise<RoutingSource | null> {
  const { runSpec, runDir } = given;
  const { topology, baseDir } = runSpec;
  const { moe } = topology;
  if (moe === undefined || (moe.record === null && moe.replay === null)) return null;
  const run = recordedRunOf(given);
  const record = moe.record === null ? null : resolve(runDir, moe.record);
  const replay = moe.replay === null ? null : resolve(baseDir, moe.replay);
  if (replay !== null) await checkReplay(replay, run, given);
  if (record !== null) await checkRecord(record, run, given.goesOnFrom === null);
  return { run, record, replay };
}

/** Whether there is something to take choices from, as far as can be seen before data is read. Throws `RoutingRefused`. */
export function checkReplayFolder({ moe }: Pick<Topology, 'moe'>, baseDir: string): void {
  if (moe?.replay == null) return;
  const folder = resolve(baseDir, moe.replay);
  if (recordFiles(folder).length > 0) return;
  throw new RoutingRefused(
    'moe.replay',
    folder,
    'it has no record; name the folder that moe.record of another run wrote',
  );
}

/** Cuts a record to the checkpoint of `step` data steps: lines are in the order of steps. Throws `RoutingRefused`. */
export async function cutRecord(folder: string, step: number): Promise<void> {
  for (const name of readdirSync(folder).filter((each) => isRecordFile(each))) {
    const path = join(folder, name);
    await refusing(path, async () => {
      for await (const { text, line, at } of recordedLines(path)) {
        if (line === 1 || isUpTo(parsed(text), step)) continue;
        truncateSync(path, at);
        return;
      }
    });
  }
}

/** Training steps are numbered from 0, an evaluation by the steps that are done before it. */
function isUpTo(line: unknown, step: number): boolean {
  if (typeof line !== 'object' || line === null || !('step' in line && 'kind' in line)) return true;
  return typeof line.step !== 'number' || (line.kind === 'train' ? line.step < step : line.step <= step);
}

function recordedRunOf({ runSpec, runId, source }: RoutedRun): RecordedRun {
  const { topology, mesh, config, model, sublayersDigest } = runSpec;
  const { moe: _, ...sizes } = config;
  const mixtures = mixturesOf(model).map(({ name }) => name);
  const { seed, global_batch_size: batch, sequence_length: sequence } = topology.training;
  const [{ moe }] = mixturesOf(model);
  return {
    version: 1,
    run: runId,
    model: createHash('sha256').update(JSON.stringify({ sizes, mixtures, sublayersDigest })).digest('hex'),
    corpora: source.digest,
    evaluations: Object.fromEntries(Object.entries(source.evaluations).map(([name, { digest }]) => [name, digest])),
    seed,
    batch,
    sequence,
    microbatches: mesh.globalMicrobatches,
    experts: moe.num_experts,
    choices: choicesOf(moe),
  };
}

/** All that the run will ask for is there. */
async function checkReplay(
  folder: string,
  run: RecordedRun,
  { runSpec, evaluations, goesOnFrom }: RoutedRun,
): Promise<void> {
  const units = [...unitsOf(runSpec.topology, run.microbatches, evaluations, goesOnFrom ?? 0)];
  for (const { name: mixture } of mixturesOf(runSpec.model)) {
    const choices = await RecordedChoices.open(folder, { ...run, mixture });
    const missing = units.find((unit) => !choices.has(unit));
    if (missing !== undefined) throw new RoutingRefused('moe.replay', folder, lacking(mixture, missing));
  }
}

/** Every microbatch whose choices are taken from a record, in order. */
function* unitsOf(
  topology: Topology,
  microbatches: number,
  evaluations: readonly Evaluation[],
  done: number,
): Generator<Unit, void> {
  for (let step = done; step < topology.training.steps; step++) {
    for (let microbatch = 0; microbatch < microbatches; microbatch++) yield { ...trainingPass(step), microbatch };
    const due = dueAfter(topology, step + 1).evaluations;
    for (const { name, microbatches: count } of evaluations.filter((each) => due.includes(each.name))) {
      for (let microbatch = 0; microbatch < count; microbatch++) {
        yield { kind: 'score', data: name, step: step + 1, microbatch };
      }
    }
  }
}

/** A new run begins a record; one that goes on has only its own before it. */
async function checkRecord(folder: string, { run }: RecordedRun, isNew: boolean): Promise<void> {
  await refusing(folder, async () => {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK | constants.X_OK);
    const files = readdirSync(folder).filter((name) => isRecordFile(name));
    if (isNew && files.length > 0) {
      const what = `it has a record already (${files[0]}); name another folder, or remove that record`;
      throw new RoutingRefused('moe.record', folder, what);
    }
    for (const name of files) await checkOwner(join(folder, name), run);
  });
}

async function checkOwner(path: string, run: string): Promise<void> {
  for await (const { text } of recordedLines(path)) {
    const found = headerSchema.safeParse(parsed(text));
    if (!found.success) throw new DamagedRouting(path, 1, 'no header of a record of routing');
    if (found.data.run === run) return;
    const what = `run: it is of run ${found.data.run}, and this one is ${run}; name another folder`;
    throw new RoutingRefused('moe.record', `${path}:1`, what);
  }
}

/** What the system refuses is a refusal of the folder. */
async function refusing(path: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (error instanceof RoutingRefused || error instanceof DamagedRouting) throw error;
    const code = codeOf(error);
    const what = `it cannot be read and written (${code}); ${diskRemedy(code)}, or name another folder`;
    throw new RoutingRefused('moe.record', path, what);
  }
}
