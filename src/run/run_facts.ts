/**
 * The facts of a run are what every node has to know of it, besides the server: those that the launcher starts are given
 * them through a pipe, those that join read them in the store that all share. No secret is among them.
 */
import { z } from 'zod';
import { parseRecord, type KvStore } from '../runtime/cluster/nats.ts';
import { toPlain, topologySchema } from '../topology/index.ts';
import { batchSourceSchema, type BatchSource } from './batch_source.ts';
import type { ClusterOptions } from './cluster.ts';
import { routingSourceSchema } from './open_routing.ts';
import { productVersion } from './product_version.ts';

export const runFactsSchema = z.object({
  topology: topologySchema,
  baseDir: z.string(),
  sublayersDigest: z.string().nullable(),
  observes: z.boolean(),
  vocabulary: z.int(),
  source: batchSourceSchema,
  routing: routingSourceSchema.nullable(),
  fresh: z.array(z.string()).nullable(),
  runId: z.string(),
  evaluations: z.array(z.object({ name: z.string(), microbatches: z.int() })),
});
export type RunFacts = z.output<typeof runFactsSchema>;
export type RunFactsData = z.input<typeof runFactsSchema>;

/** As plain data. */
export function runFactsOf(run: ClusterOptions, source: BatchSource, runId: string): RunFactsData {
  const { runSpec, evaluations, routing, fresh } = run;
  const { topology, baseDir, vocabulary, sublayersDigest, observed } = runSpec;
  return {
    topology: toPlain(topology),
    baseDir,
    vocabulary,
    sublayersDigest,
    observes: observed !== null,
    source,
    routing,
    fresh: fresh === null ? null : [...fresh],
    runId,
    evaluations: [...evaluations],
  };
}

/** What a node that joins compares itself with before it does. */
const openRunSchema = z.object({
  version: z.string(),
  /** Hashes of the numerics classes that the run's workers have. */
  classes: z.array(z.string()),
  facts: z.unknown(),
});

/** Nodes of another version would not understand one another. */
export class VersionDiffers extends Error {
  readonly tag = 'VersionDiffers';
  readonly exitCode = 1;
  constructor(cluster: string, theirs: string) {
    super(`cluster ${cluster}: its run is of troupe ${theirs}, this is ${productVersion}; install that version here`);
    this.name = 'VersionDiffers';
  }
}

const keyOf = (runId: string): string => `open.${runId}`;

/** Opens a run to nodes that join. Throws `KvUnavailable`. */
export async function openToJoin(store: KvStore, facts: RunFactsData, classes: readonly string[]): Promise<void> {
  const value = JSON.stringify({ version: productVersion, classes, facts });
  const standing = await store.createOrGet(keyOf(facts.runId), value);
  // An earlier launch of the run has left it, perhaps with other folders.
  if (standing.value !== value) await store.replace(standing.key, value, standing.revision);
}

/** The facts of a run that is open; null where it is not, or not yet. Throws `VersionDiffers`, `DamagedRecord`. */
export async function openRunOf(
  store: KvStore,
  cluster: string,
  runId: string,
): Promise<{ readonly facts: RunFacts; readonly classes: readonly string[] } | null> {
  const entry = await store.find(keyOf(runId));
  if (entry === null) return null;
  const { version, classes, facts } = parseRecord(openRunSchema, entry, 'open run');
  if (version !== productVersion) throw new VersionDiffers(cluster, version);
  return { classes, facts: parseRecord(runFactsSchema, { ...entry, value: JSON.stringify(facts) }, 'open run') };
}
