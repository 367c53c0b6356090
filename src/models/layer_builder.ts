/**
 * A builder of layers: a family writes a layer as if it ran the blocks, and what it gets back are the names of streams. Each
 * stream is named by its layer and what wrote it, so that it is written once.
 */
import { batchStreams, type HandStep, type Layer, type Mixture, type Step } from './model.ts';
import { BEGINS } from './segments.ts';
import { isTap, LIVE } from './taps.ts';
import type { TracedBlock } from './traced_block.ts';

/** Streams of the batch by what blocks call them that read them without being told. */
const givenByBatch = { [BEGINS]: batchStreams.begins, [LIVE]: batchStreams.live };

/** Where a mixture stands in its layer. */
export interface MixturePlace {
  readonly hand: HandStep;
  readonly part: string;
  /** Mixtures of the layer before it. */
  readonly before: number;
}

export class LayerBuilder {
  /** The place of its parameters, `model.layers.3`. */
  readonly name: string;
  private readonly steps: Step[] = [];
  private readonly mixtures: Mixture[] = [];

  constructor(name: string) {
    this.name = name;
  }

  /**
   * Runs a block on streams; `place` says what its parameters' names continue, `reports` which outputs nothing is learnt from.
   * A block that has begins_R or live_R1 gets it of the batch, and its taps are reports.
   * Returns the streams of its outputs.
   */
  run(
    { program, weightsAt }: TracedBlock,
    reads: Readonly<Record<string, string>>,
    { place = this.name, reports = [] }: { readonly place?: string; readonly reports?: readonly string[] } = {},
  ): Readonly<Record<string, string>> {
    const at = this.steps.length;
    const writes = Object.fromEntries(program.outputs.map(({ name }) => [name, `${this.name}/${at}.${name}`]));
    const shown = [...reports, ...Object.keys(writes).filter(isTap)];
    const reported = shown.length === 0 ? {} : { reports: shown };
    const ofBatch = Object.entries(givenByBatch).filter(([read]) => program.inputs.some(({ name }) => name === read));
    const weights = weightsAt(place);
    this.steps.push({
      kind: 'run',
      program,
      weights,
      reads: { ...Object.fromEntries(ofBatch), ...reads },
      writes,
      ...reported,
    });
    return writes;
  }

  /**
   * Hands a stream to the mixture that `make` makes of its place; returns the stream of its answer. `part` says what the names
   * of its parameters continue the layer's with. Throws `TypeError` where the layer has a mixture of that name.
   */
  hand(gives: string, make: (place: MixturePlace) => Mixture, part = 'mlp'): string {
    const id = `${this.name}.${part}`;
    if (this.mixtures.some((mixture) => mixture.id === id)) throw new TypeError(`there are two mixtures ${id}`);
    const takes = `${this.name}/${this.steps.length}.moe_RD`;
    const hand: HandStep = { kind: 'hand', to: id, gives, takes };
    this.steps.push(hand);
    this.mixtures.push(make({ hand, part, before: this.mixtures.length }));
    return takes;
  }

  /** The layer so far; `index` as a pipeline counts it, null where it goes with its neighbour. */
  build(index: number | null): Layer {
    return { name: this.name, index, steps: this.steps, mixtures: this.mixtures };
  }
}
