/**
 * `manifest.json`: what a checkpoint is and which files make it, with their digests. It is written last, so a folder with
 * a manifest has all its shards; and it is all that is read to list checkpoints. What the layers above put into it
 * (`model`, `topology`, `extra`) is opaque here.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CheckpointIo, DamagedCheckpoint, codeOf } from './errors.ts';

export const MANIFEST_FILE = 'manifest.json';

const count = z.int().min(0);

export const shardSchema = z.strictObject({
  /** Name in the checkpoint's folder. */
  file: z.string().regex(/^[^/\\]+\.safetensors$/),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: count,
  tensors: z.array(z.string()),
});

export const manifestSchema = z.strictObject({
  version: z.literal(1),
  runId: z.string(),
  gen: count,
  /** Data steps done: what a resumed run continues after. */
  step: count,
  /** Updates applied: what Adam's bias correction counts. */
  updateStep: count,
  /** Of a run that scales its gradients: by what, and for how many steps that did not overflow. */
  lossScale: z.strictObject({ scale: z.number().min(1), cleanSteps: count }).exactOptional(),
  numericsClass: z.string(),
  corpusDigest: z.string(),
  model: z.json(),
  topology: z.json(),
  extra: z.json(),
  shards: z.array(shardSchema),
});

export type Manifest = z.output<typeof manifestSchema>;
export type Shard = z.output<typeof shardSchema>;
/** Any JSON value. */
export type Json = z.output<ReturnType<typeof z.json>>;
/** What the writer of a checkpoint says about it; the store adds the rest. */
export type ManifestFields = Omit<Manifest, 'version' | 'gen' | 'step' | 'shards'>;

/** The bytes of a manifest file. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  return Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
}

/** Reads and checks the manifest of a checkpoint's folder; throws `DamagedCheckpoint` or `CheckpointIo`. */
export async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, MANIFEST_FILE);
  const remedy = 'remove that folder to use an earlier checkpoint';
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (codeOf(cause) !== 'ENOENT') throw new CheckpointIo(path, cause);
    throw new DamagedCheckpoint(path, 'it is missing', remedy, cause);
  }
  try {
    return manifestSchema.parse(JSON.parse(text));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? firstIssue(cause) : 'it is not JSON';
    throw new DamagedCheckpoint(path, reason, remedy, cause);
  }
}

/** `version: Invalid input: expected 1`. */
function firstIssue({ issues: [{ path, message }] }: z.ZodError): string {
  return `${path.length === 0 ? '' : `${path.join('.')}: `}${message}`;
}
