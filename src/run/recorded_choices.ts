/**
 * The recorded choices of one mixture, found by microbatch in the files that data ranks of another run wrote: whoever had a
 * microbatch then, anybody may take it now. An index of places is kept in memory, choices stay in the files.
 */
import { readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { keyOf, type Unit } from '../actors/protocol/pass.ts';
import { codeOf } from '../system_error.ts';
import { recordedLines, type RecordedLine } from './recorded_lines.ts';
import { DamagedRouting, RoutingRefused } from './routing_errors.ts';
import { headerSchema, isRecordFile, parsed, readLine, type RecordHeader } from './routing_format.ts';

interface Place extends Omit<RecordedLine, 'text'> {
  readonly path: string;
}

export class RecordedChoices {
  readonly folder: string;
  private readonly header: RecordHeader;
  private readonly places: ReadonlyMap<string, Place>;

  private constructor(folder: string, header: RecordHeader, places: ReadonlyMap<string, Place>) {
    this.folder = folder;
    this.header = header;
    this.places = places;
  }

  /** Reads all files of the mixture that `header` names, each line of them. Throws `RoutingRefused`, `DamagedRouting`. */
  static async open(folder: string, header: RecordHeader): Promise<RecordedChoices> {
    const names = recordFiles(folder).filter((name) => isRecordFile(name, header.mixture));
    if (names.length === 0) {
      throw new RoutingRefused(
        'moe.replay',
        folder,
        `it has no record of mixture ${header.mixture}; name the folder that moe.record of another run wrote`,
      );
    }
    const places = new Map<string, Place>();
    for (const name of names) {
      const path = join(folder, name);
      for await (const { text, ...place } of recordedLines(path)) {
        if (place.line === 1) checkHeader(path, text, header);
        else places.set(keyOf(unitOf(path, place.line, text, header).unit), { path, ...place });
      }
    }
    return new RecordedChoices(folder, header, places);
  }

  has(unit: Unit): boolean {
    return this.places.has(keyOf(unit));
  }

  /** choices_RP of a microbatch. Throws `RoutingRefused` where it has none, `DamagedRouting` where its line has changed since. */
  async read(unit: Unit): Promise<Int32Array> {
    const place = this.places.get(keyOf(unit));
    if (place === undefined) throw new RoutingRefused('moe.replay', this.folder, lacking(this.header.mixture, unit));
    const { path, at, bytes, line } = place;
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, at);
      return unitOf(path, line, buffer.toString('utf8', 0, bytesRead), this.header).choices_RP;
    } finally {
      await file.close();
    }
  }
}

/** What a record does not have, and what to do. */
export function lacking(mixture: string, { kind, data, step, microbatch }: Unit): string {
  const of = `it has no choices of mixture ${mixture} in microbatch ${microbatch}`;
  return kind === 'train'
    ? `${of} of step ${step + 1}; record as many steps, or set training.steps to ${step}`
    : `${of} of evaluation ${data} after step ${step}; evaluate when and as much as the recorded run did (training.eval_interval, training.eval_sequences, evaluations)`;
}

function unitOf(path: string, line: number, text: string, header: RecordHeader) {
  const read = readLine(text, header);
  if ('damage' in read) throw new DamagedRouting(path, line, read.damage);
  return read;
}

/** Keys of the topology that a header's fields are of. */
const keys: Readonly<Partial<Record<keyof RecordHeader, string>>> = {
  experts: 'moe.num_experts',
  choices: 'moe.top_k, or moe.spill_choices',
  model: 'model, or moe.every_n_layers',
  corpora: 'data',
  seed: 'training.seed',
  batch: 'training.global_batch_size',
  sequence: 'training.sequence_length',
  microbatches: 'parallelism.data_parallel x micro_batches',
};

/** Throws unless a file is of the same tokens and experts, whatever run wrote it. */
function checkHeader(path: string, text: string, wanted: RecordHeader): void {
  const found = headerSchema.safeParse(parsed(text));
  if (!found.success) {
    const [{ path: at, message }] = found.error.issues;
    throw new DamagedRouting(
      path,
      1,
      at.length === 0 ? 'no header of a record of routing' : `${at.join('.')}: ${message}`,
    );
  }
  const header = found.data;
  if (header.mixture !== wanted.mixture) {
    throw new DamagedRouting(
      path,
      1,
      `mixture: it is of mixture ${header.mixture}, and its name says ${wanted.mixture}`,
    );
  }
  for (const [field, key] of Object.entries(keys)) {
    const [was, is] = [valueOf(header, field), valueOf(wanted, field)];
    if (was !== is) throw new RoutingRefused('moe.replay', `${path}:1`, otherwise(key, was, is));
  }
  for (const [name, is] of Object.entries(wanted.evaluations)) {
    const was = header.evaluations[name];
    if (was !== undefined && was !== is)
      throw new RoutingRefused('moe.replay', `${path}:1`, otherwise(`evaluations, data of ${name}`, was, is));
  }
}

const valueOf = (header: RecordHeader, field: string): unknown =>
  new Map<string, unknown>(Object.entries(header)).get(field);

function otherwise(key: string, was: unknown, is: unknown): string {
  const numbers =
    typeof was === 'number'
      ? `was ${String(was)} when it was recorded and is ${String(is)} now`
      : 'was another when it was recorded';
  return `${key} ${numbers}, so that its choices are of other tokens or experts; take what it was recorded with, or record anew`;
}

/** The files of a record. Throws `RoutingRefused` where there is no such folder. */
export function recordFiles(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => isRecordFile(name))
      .sort();
  } catch (error) {
    const code = codeOf(error);
    const what = code === 'ENOENT' ? 'there is no such folder' : `it cannot be read (${code})`;
    throw new RoutingRefused('moe.replay', folder, `${what}; name the folder that moe.record of another run wrote`);
  }
}
