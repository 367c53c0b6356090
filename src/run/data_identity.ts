/**
 * The data identity of a run is the text that it began with, and must go on with. Its corpora have a digest; where that
 * differs, the keys of `data` are compared, so that the refusal names the one that was changed. Weights count by the
 * shares that they give.
 */
import { resolve } from 'node:path';
import type { Checkpoint } from '../checkpoints/index.ts';
import { rebaseTopology, toPlain, weightOf, type Topology } from '../topology/index.ts';
import { differing, isImported, refuseChange, topologyOf, type KeyDifference } from './identity.ts';
import { ResumeRefused } from './resume.ts';

type Blend = Topology['data']['blend'];

/** A run to go on with, as its topology file has it now. */
interface Resumed {
  readonly topology: Topology;
  /** Folder of the topology file. */
  readonly baseDir: string;
  readonly runDir: string;
}

/** The topology with the weights that its checkpoint has, where they give the same shares: they are in the digest. */
export function withWeightsOf(checkpoint: Pick<Checkpoint, 'path' | 'manifest'> | null, topology: Topology): Topology {
  if (checkpoint === null) return topology;
  const { data } = topology;
  const before = topologyOf(checkpoint).data.blend;
  if (before.length !== data.blend.length || shareDifference(before, data.blend) !== null) return topology;
  const blend = data.blend.map((corpus, at) => ({ ...corpus, weight: before[at].weight }));
  return { ...topology, data: { ...data, blend } };
}

/**
 * Checks that the corpora of a run are those of its checkpoint. Throws `ResumeRefused`; exit code 2 where a key has
 * changed.
 */
export function checkCorpora(
  checkpoint: Pick<Checkpoint, 'path' | 'manifest'>,
  digest: string,
  { topology, baseDir, runDir }: Resumed,
): void {
  const { manifest } = checkpoint;
  // What was imported has seen none of them yet.
  if (manifest.corpusDigest === digest || isImported(manifest)) return;
  // Both as seen from the run directory.
  const difference = dataDifference(topologyOf(checkpoint), rebaseTopology(topology, baseDir, resolve(runDir)));
  if (difference === null) {
    const what = 'the corpora are not those it was trained on; restore the files, or start a new run';
    throw new ResumeRefused(checkpoint.path, what);
  }
  refuseChange(checkpoint, difference);
}

/** The first key of `data` that makes other corpora of the same files, then of those that say which files; else null. */
export function dataDifference(before: Topology, now: Topology): KeyDifference | null {
  const [was, is] = [before.data, now.data];
  const plain = [toPlain(before).data?.blend ?? [], toPlain(now).data?.blend ?? []];
  if (was.held_out !== is.held_out) return differing('data.held_out', was.held_out, is.held_out);
  if (was.tokenizer !== is.tokenizer) return differing('data.tokenizer', was.tokenizer, is.tokenizer);
  if (was.blend.length !== is.blend.length) {
    return { key: 'data.blend', was: corporaText(was.blend), is: corporaText(is.blend) };
  }
  for (const name of ['name', 'format', 'columns', 'max_file_bytes', 'glob', 'exclude'] as const) {
    for (const [at, corpus] of plain[0].entries()) {
      const other = plain[1][at][name];
      if (JSON.stringify(corpus[name]) !== JSON.stringify(other)) {
        return differing(`data.blend.${at}.${name}`, corpus[name], other);
      }
    }
  }
  for (const name of ['rows', 'train_on', 'pack', 'keep', 'overlong', 'template_date'] as const) {
    if (JSON.stringify(was[name]) !== JSON.stringify(is[name])) return differing(`data.${name}`, was[name], is[name]);
  }
  return shareDifference(was.blend, is.blend);
}

/** The first weight that gives another share than it did. */
function shareDifference(before: Blend, now: Blend): KeyDifference | null {
  const share = (blend: Blend, at: number): number =>
    weightOf(blend[at].weight) / blend.reduce((sum, { weight }) => sum + weightOf(weight), 0);
  const differs = (at: number): boolean => Math.abs(share(before, at) - share(now, at)) > 1e-12;
  // Of several whose shares differ, one whose weight does.
  const at = before.findIndex((corpus, i) => differs(i) && corpus.weight !== now[i].weight);
  return at < 0 ? null : differing(`data.blend.${at}.weight`, before[at].weight, now[at].weight);
}

const corporaText = (blend: Blend): string => (blend.length === 1 ? '1 corpus' : `${blend.length} corpora`);
