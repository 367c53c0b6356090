/**
 * A module of one's own: what `model.sublayers` names, imported by every thread of a run. Its exports `mixer` and `feedForward`
 * stand in the place of the architecture's, each where it is there; its export `family` builds the whole model.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { codeOf } from '../system_error.ts';
import type { Topology } from '../topology/index.ts';
import type { FeedForward, Mixer, Sublayers } from './sublayer.ts';
import type { Family } from './families/family.ts';

/** A module of sublayers that cannot be used; the line says where it is and why. */
export class BadSublayers extends Error {
  readonly tag = 'BadSublayers';
  readonly exitCode = 2;
  constructor(file: string, what: string, cause?: unknown) {
    super(`model.sublayers ${file}: ${what}`, { cause });
    this.name = 'BadSublayers';
  }
}

export interface LoadedSublayers {
  /** What stands in the place of the architecture's. */
  readonly sublayers: Partial<Sublayers>;
  /** Builds the model; null where the architecture's own does. */
  readonly family: Family | null;
  /** SHA-256 of the module, but not of what it imports; null where there is none. */
  readonly digest: string | null;
}

/** The module that a topology's model names, absolute; null where it names none. */
export function sublayersFile({ model }: Pick<Topology, 'model'>, baseDir: string): string | null {
  return model.sublayers === null ? null : resolve(baseDir, model.sublayers);
}

/** SHA-256 of that module, which is not run for it; null where there is none. Throws `BadSublayers`. */
export function sublayersDigest(topology: Pick<Topology, 'model'>, baseDir: string): string | null {
  const file = sublayersFile(topology, baseDir);
  return file === null ? null : digestOf(file);
}

/**
 * The sublayers of a topology's model; paths are relative to `baseDir`. The module is imported, and thereby run, only
 * when it has the digest that is `expected`, where one is. Throws `BadSublayers`.
 */
export async function loadSublayers(
  topology: Pick<Topology, 'model'>,
  baseDir: string,
  expected?: string | null,
): Promise<LoadedSublayers> {
  const file = sublayersFile(topology, baseDir);
  if (file === null) return { sublayers: {}, family: null, digest: null };
  const digest = digestOf(file);
  if (expected !== undefined && digest !== expected) {
    throw new BadSublayers(file, 'was changed while the run began; start it again');
  }
  const { mixer, feedForward, family } = await imported(file);
  if (mixer === undefined && feedForward === undefined && family === undefined) {
    throw new BadSublayers(file, 'exports neither mixer nor feedForward nor family; export at least one of them');
  }
  if (family !== undefined && !isFamily(family)) {
    throw new BadSublayers(file, 'family is no function; export one that makes a model of a config');
  }
  for (const [name, sublayer] of Object.entries({ mixer, feedForward })) {
    if (sublayer === undefined || isSublayer(sublayer)) continue;
    throw new BadSublayers(file, `${name} is no sublayer; export an object with the functions weights and apply`);
  }
  return {
    sublayers: { ...(isSublayer(mixer) ? { mixer } : {}), ...(isSublayer(feedForward) ? { feedForward } : {}) },
    family: family ?? null,
    digest,
  };
}

function digestOf(file: string): string {
  try {
    return createHash('sha256').update(readFileSync(file)).digest('hex');
  } catch (error) {
    throw new BadSublayers(file, `cannot be read (${codeOf(error)}); paths are relative to the topology file`, error);
  }
}

async function imported(file: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (error) {
    throw new BadSublayers(file, `cannot be imported: ${firstLine(error)}; correct the module`, error);
  }
}

const isFamily = (value: unknown): value is Family => typeof value === 'function';

/** As far as can be told without calling it. */
const isSublayer = (value: unknown): value is Mixer & FeedForward =>
  typeof value === 'object' &&
  value !== null &&
  'weights' in value &&
  'apply' in value &&
  typeof value.weights === 'function' &&
  typeof value.apply === 'function';

/** What somebody's module threw, in one line. */
export const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n', 1)[0];
