/**
 * An observer looks at what happens inside a model that is in actors, over some data: how large the activations of its neurons,
 * heads and channels are, from which pruning tells what is dispensable. The run must have been started to observe
 * (`observes` of its run spec). Shape suffixes: see `models/model.ts`; X channels of any kind.
 */
import { floats } from '../kernels/dtype.ts';
import type { RunSpec } from '../actors/placement/run_spec.ts';
import type { BatchPort, Microbatch } from '../actors/stage/batch_port.ts';
import { forwardPass } from '../actors/training/forward_pass.ts';
import { dataOf, type Pass } from '../actors/protocol/pass.ts';
import type { PassReport } from '../actors/protocol/report.ts';
import { askedAgain } from './asked_again.ts';
import type { Run } from './run.ts';
import type { ScoredData } from './scorer.ts';

export interface Observed {
  readonly microbatch: number;
  /** Live rows of each sequence: what sums are divided by for a mean over tokens; 0 where a sequence is padding. */
  readonly live_B: readonly number[];
  /** By stream, such as `model.layers.3/0.tap_neurons`: Σ |x| over the live rows of each sequence, f32 [B, X]. */
  readonly taps: Readonly<Record<string, TapSums>>;
}

export interface TapSums {
  readonly width: number;
  readonly sums_BX: Float32Array;
}

/** A run was started without the programs and the memory that observing takes. */
export class NotObserving extends Error {
  readonly tag = 'NotObserving';
  readonly exitCode = 2;
  constructor(name: string) {
    super(`run ${name} was not started to observe; make its run spec with observes: true`);
    this.name = 'NotObserving';
  }
}

/** How long a microbatch may take. */
const patienceMs = 15 * 60_000;

export class Observer {
  private readonly run: Run;
  private readonly runSpec: RunSpec;
  private readonly batches: BatchPort;

  /** Over a run that is started and trains no step meanwhile; `batches`: those of the run. Throws `NotObserving`. */
  constructor(run: Run, runSpec: RunSpec, batches: BatchPort) {
    if (runSpec.observed === null) throw new NotObserving(runSpec.topology.name);
    this.run = run;
    this.runSpec = runSpec;
    this.batches = batches;
  }

  /** Yields microbatches in their order; a few are under way at a time. Throws `RunFailed`. */
  async *observe({ data, microbatches, step = 0 }: ScoredData): AsyncGenerator<Observed, void, void> {
    const { stages } = this.run.mesh;
    // As many as there are stages, each with one in hand.
    const size = stages.length;
    const pass: Pass = { kind: 'observe', data, step };
    for (let first = 0; first < microbatches; first += size) {
      const slice = Array.from({ length: Math.min(size, microbatches - first) }, (_, i) => first + i);
      const { outputs } = await this.run.unlessFailed(this.reportOf(pass, slice));
      for (const microbatch of slice) {
        const own = outputs.filter((output) => output.microbatch === microbatch);
        const taps = own.map(({ name, tensor }) => {
          return [name, { width: tensor.shape[1], sums_BX: floats(name, dataOf(tensor)) }] as const;
        });
        const live_B = liveRows(this.batches.microbatch({ ...pass, microbatch }), this.runSpec.model);
        yield { microbatch, live_B, taps: Object.fromEntries(taps) };
      }
    }
  }

  private reportOf(pass: Pass, microbatches: readonly number[]): Promise<PassReport> {
    const { mesh, holders, cluster, system } = this.run;
    return askedAgain(cluster, () => forwardPass(system, { mesh, holders }, { pass, microbatches }, patienceMs));
  }
}

function liveRows(
  { live_R }: Pick<Microbatch, 'live_R'>,
  { batch: B, sequence: T }: { readonly batch: number; readonly sequence: number },
): number[] {
  return Array.from({ length: B }, (_, b) => {
    return live_R?.subarray(b * T, (b + 1) * T).reduce((sum, live) => sum + live, 0) ?? T;
  });
}
