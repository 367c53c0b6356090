/**
 * `manifest.json`: what a checkpoint is and which files make it, with their digests and one of itself. It is written
 * last, so a folder with a manifest has all its shards; and it is all that is read to list checkpoints. What the layers
 * above put into it (`model`, `topology`, `extra`) is opaque here.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { systemCodeOf } from '../system_error.ts';
import { CheckpointIo, DamagedCheckpoint } from './errors.ts';

export const MANIFEST_FILE = 'manifest.json';

const REMEDY = 'remove that folder to use an earlier checkpoint';

const count = z.int().min(0);

export const shardSchema = z.strictObject({
  /** Name in the checkpoint's folder. */
  file: z.string().regex(/^[^/\\]+\.safetensors$/),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: count,
  tensors: z.array(z.string()),
});

export const manifestSchema = z.strictObject({
  /** 1: without a digest of itself, as the first releases wrote it. */
  version: z.literal([1, 2]),
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

const storedSchema = manifestSchema.extend({ digest: z.string().exactOptional() });

export type Manifest = z.output<typeof manifestSchema>;
export type Shard = z.output<typeof shardSchema>;
/** Any JSON value. */
export type Json = z.output<ReturnType<typeof z.json>>;
/** What the writer of a checkpoint says about it; the store adds the rest. */
export type ManifestFields = Omit<Manifest, 'version' | 'gen' | 'step' | 'shards'>;

/** The bytes of a manifest file of version 2: its last key is the SHA-256 of every byte before it. */
export function encodeManifest(manifest: Omit<Manifest, 'version'>): Uint8Array {
  const body = Buffer.from(JSON.stringify({ version: 2, ...manifest }, null, 2).slice(0, -'\n}'.length));
  return Buffer.concat([body, sealOf(body)]);
}

/** Reads and checks the manifest of a checkpoint's folder; throws `DamagedCheckpoint` or `CheckpointIo`. */
export async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, MANIFEST_FILE);
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    if (systemCodeOf(cause) === 'ENOENT') throw new DamagedCheckpoint(path, 'it is missing', REMEDY, cause);
    throw new CheckpointIo(path, cause);
  }
  return decodeManifest(bytes, path);
}

/** The manifest whose file has these bytes; `path` is the file's, for messages. Throws `DamagedCheckpoint`. */
export function decodeManifest(bytes: Buffer, path: string): Manifest {
  const refuse = (reason: string, cause?: unknown): never => {
    throw new DamagedCheckpoint(path, reason, REMEDY, cause);
  };
  let content: unknown;
  try {
    content = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    return refuse('it is not JSON', cause);
  }
  const version = versionOf(content);
  if (version !== 1 && version !== 2) return refuse(`its version is ${JSON.stringify(version)}, known are 1 and 2`);
  if (version === 2 && !isSealed(bytes)) return refuse('its content is not what its digest says');
  const result = storedSchema.safeParse(content);
  if (!result.success) return refuse(firstIssue(result.error), result.error);
  const { digest, ...manifest } = result.data;
  // Else who changes the 2 to a 1 would be believed without it.
  if (version === 1 && digest !== undefined) return refuse('it has a digest, which version 1 has not');
  return manifest;
}

const SEAL_BYTES = sealOf(Buffer.alloc(0)).length;

/** The end of a manifest file whose bytes up to there are `body`. */
function sealOf(body: Uint8Array): Buffer {
  const digest = createHash('sha256').update(body).digest('hex');
  return Buffer.from(`,\n  "digest": "${digest}"\n}\n`);
}

function isSealed(bytes: Buffer): boolean {
  const at = Math.max(0, bytes.length - SEAL_BYTES);
  return bytes.subarray(at).equals(sealOf(bytes.subarray(0, at)));
}

const versionOf = (content: unknown): unknown =>
  typeof content === 'object' && content !== null && 'version' in content ? content.version : null;

/** `version: Invalid input: expected 1`. */
function firstIssue({ issues: [{ path, message }] }: z.ZodError): string {
  return `${path.length === 0 ? '' : `${path.join('.')}: `}${message}`;
}
