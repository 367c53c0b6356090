/**
 * The run spec is what every thread of a run knows without asking. It follows from the topology, the tokenizer's vocabulary and
 * the module of sublayers, if there is one, and so is the same wherever it is made.
 */
import { checkSublayers } from '../../models/check_sublayers.ts';
import type { ModelConfig } from '../../models/config.ts';
import { buildModel, sublayersOf } from '../../models/families/index.ts';
import { modelConfigOf, traceSettingsOf } from '../../models/from_topology.ts';
import type { TraceSettings } from '../../models/trace_settings.ts';
import { BadSublayers, firstLine, loadSublayers, sublayersFile } from '../../models/load_sublayers.ts';
import { mixturesOf, type Model } from '../../models/model.ts';
import { meshOf, microbatchSequencesOf, type Mesh, type Topology } from '../../topology/index.ts';

export interface RunSpec {
  readonly topology: Topology;
  /** What relative paths in the topology start from. */
  readonly baseDir: string;
  readonly vocabulary: number;
  readonly mesh: Mesh;
  readonly config: ModelConfig;
  readonly model: Model;
  /** The model's twin for the single sequence of generation. */
  readonly single: Model;
  /** The model's twin with taps, for passes that observe; null where the run has none. */
  readonly observed: Model | null;
  /** SHA-256 of the module of sublayers; null where the architecture has its own. */
  readonly sublayersDigest: string | null;
}

/** What a run spec is made from; the digest where it is known which module it must be. */
export type RunSpecSource = Pick<RunSpec, 'topology' | 'baseDir' | 'vocabulary'> &
  Partial<Pick<RunSpec, 'sublayersDigest'>> & {
    /** Whether stages take memory for passes that observe; default: no. */
    readonly observes?: boolean;
  };

/** Makes the run spec. Throws `BadSublayers`. */
export async function runSpecOf(source: RunSpecSource): Promise<RunSpec> {
  const { topology, baseDir, vocabulary, sublayersDigest, observes = false } = source;
  const { digest, family, sublayers } = await loadSublayers(topology, baseDir, sublayersDigest);
  const config = modelConfigOf(topology, vocabulary);
  const build = (settings: TraceSettings): Model => buildModel({ config, settings, sublayers }, family ?? undefined);
  try {
    // The first use of somebody's sublayers: what they throw is told in one line.
    if (digest !== null) checkSublayers(config, traceSettingsOf(topology, 1), sublayersOf(config, sublayers));
    const batch = microbatchSequencesOf(topology);
    const settings = traceSettingsOf(topology, batch);
    const model = build(settings);
    // A text that is made has its sequence to itself.
    const single =
      batch === 1 && !settings.segments ? model : build({ ...traceSettingsOf(topology, 1), segments: false });
    const observed = observes ? build({ ...settings, taps: true }) : null;
    const mesh = meshOf(topology, mixturesOf(model));
    return { topology, baseDir, vocabulary, mesh, config, model, single, observed, sublayersDigest: digest };
  } catch (error) {
    const file = sublayersFile(topology, baseDir);
    throw file === null ? error : new BadSublayers(file, `${firstLine(error)}; correct the module`, error);
  }
}
