/**
 * The files of a record of routing: one for each mixture and data rank, of lines of JSON. The first says what run it is of, every
 * other one has the choices of one microbatch in 16 bits each, as base64: a quarter of what they take as JSON numbers with six
 * thousand of them on a line, and any language reads it. Each line has a checksum, for a changed letter is another expert.
 */
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import type { Unit } from '../actors/protocol/pass.ts';

/** What a record is of: with another of these, the choices would be of other tokens or for other experts. */
export const recordedRunSchema = z.strictObject({
  version: z.literal(1),
  /** The run's id. */
  run: z.string(),
  /** Digest of what its mixtures follow from, see `routing_source.ts`. */
  model: z.string(),
  /** Digests of the corpora, and of those of evaluations by name. */
  corpora: z.string(),
  evaluations: z.record(z.string(), z.string()),
  seed: z.int(),
  /** Sequences of a step, tokens of a sequence, and microbatches of a step of all data ranks. */
  batch: z.int(),
  sequence: z.int(),
  microbatches: z.int(),
  experts: z.int(),
  /** Choices of a token on record. */
  choices: z.int(),
});
export type RecordedRun = z.infer<typeof recordedRunSchema>;

export const headerSchema = recordedRunSchema.extend({ mixture: z.string() });
export type RecordHeader = z.infer<typeof headerSchema>;

const lineSchema = z.strictObject({
  kind: z.enum(['train', 'score']),
  data: z.string(),
  step: z.int(),
  microbatch: z.int(),
  /** CRC-32 of all else. */
  crc: z.int(),
  choices: z.base64(),
});

/** The choices of one microbatch. */
export interface RecordedUnit {
  readonly unit: Unit;
  readonly choices_RP: Int32Array;
}

/** Whether the choices of a pass are kept; nobody takes those of a text that is made, or of an observation. */
export const isOnRecord = ({ kind }: Pick<Unit, 'kind'>): boolean => kind === 'train' || kind === 'score';

const extension = '.jsonl';
const prefixOf = (mixture: string): string => `l${encodeURIComponent(mixture)}-d`;

/** `l1-d0.jsonl`: of the mixture of layer 1, written by data rank 0. */
export const recordPath = (folder: string, mixture: string, dataRank: number): string =>
  join(folder, `${prefixOf(mixture)}${dataRank}${extension}`);

/** Whether a file is of a record, by its name; of that mixture where one is named. */
export function isRecordFile(name: string, mixture?: string): boolean {
  const rank =
    mixture === undefined
      ? /^l.+-d(\d+)\.jsonl$/.exec(name)?.[1]
      : name.slice(prefixOf(mixture).length, -extension.length);
  const isOfMixture = mixture === undefined || (name.startsWith(prefixOf(mixture)) && name.endsWith(extension));
  return isOfMixture && rank !== undefined && /^\d+$/.test(rank);
}

export function lineOf({ unit: { kind, data, step, microbatch }, choices_RP }: RecordedUnit): string {
  const choices = Buffer.from(Uint16Array.from(choices_RP).buffer).toString('base64');
  return JSON.stringify({
    kind,
    data,
    step,
    microbatch,
    crc: checksum({ kind, data, step, microbatch }, choices),
    choices,
  });
}

/** A line as it was written, or what is wrong with it, with its key if it is one. */
export function readLine(
  text: string,
  { batch, sequence, microbatches, experts, choices: P }: RecordedRun,
): RecordedUnit | { readonly damage: string } {
  const found = lineSchema.safeParse(parsed(text));
  if (!found.success) {
    const [{ path, message }] = found.error.issues;
    return { damage: path.length === 0 ? 'no choices of a microbatch' : `${path.join('.')}: ${message}` };
  }
  const { crc, choices, ...unit } = found.data;
  if (crc !== checksum(unit, choices)) return { damage: 'crc: the line is not as it was written' };
  const bytes = Buffer.from(choices, 'base64');
  const wanted = (batch / microbatches) * sequence * P;
  if (bytes.length !== 2 * wanted)
    return { damage: `choices: ${bytes.length / 2} of them, and a microbatch has ${wanted}` };
  const choices_RP = Int32Array.from(
    new Uint16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)),
  );
  const none = choices_RP.find((expert) => expert >= experts);
  return none === undefined ? { unit, choices_RP } : { damage: `choices: there is no expert ${none} of ${experts}` };
}

/** JSON, or what no schema takes. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const checksum = ({ kind, data, step, microbatch }: Unit, choices: string): number =>
  crc32(`${kind}/${data}/${step}/${microbatch}/${choices}`);
