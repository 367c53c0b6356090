/**
 * What an expert is made of: its parameters, and its gradient. The expert's actor answers for it; its group, on the same
 * worker, runs it, since the rows of all experts of a group travel and lie together.
 */
import type { Bindings } from '../../kernels/device.ts';
import type { Weights } from '../../models/model.ts';
import { weightBindings } from '../stage/bindings.ts';
import type { LeafGradients } from '../parameters/leaf_gradients.ts';
import type { ShareParts } from '../parameters/share_parts.ts';
import type { Unit } from '../protocol/pass.ts';

export class ExpertCore {
  readonly expert: number;
  readonly share: ShareParts;
  /** Its parameters by the names that its programs have for them. */
  readonly values: Bindings;
  private readonly weights: Weights;
  private readonly leaves: LeafGradients;
  private readonly expected: number;
  private closed = 0;
  private processed = 0;
  private onComplete: (() => void) | null = null;

  /** `expected` microbatches make a step. */
  constructor({ expert, share, weights }: ExpertParts, expected: number) {
    this.expert = expert;
    this.share = share;
    this.weights = weights;
    this.values = weightBindings(weights, share.parameters.values);
    this.leaves = share.leaves;
    this.expected = expected;
  }

  /** So many rows of a training pass have gone forward. */
  count(rows: number): void {
    this.processed += rows;
  }

  /** Tensors for the microbatch's leaf of the gradient; nobody waits for it but the step's end. */
  openLeaf(unit: Unit): Bindings {
    return weightBindings(this.weights, this.leaves.open(unit.microbatch).views, 'd_');
  }

  /** The leaf is made. */
  async closeLeaf(unit: Unit): Promise<void> {
    await this.leaves.close(unit.microbatch);
    this.closed++;
    if (this.closed === this.expected) this.onComplete?.();
  }

  /** Calls `then` once all leaves of the step are there; at once if they are. */
  whenComplete(then: () => void): void {
    this.onComplete = then;
    if (this.closed === this.expected) then();
  }

  /** How many rows the pass had; the next one begins. */
  endPass(): number {
    const { processed } = this;
    this.processed = 0;
    this.closed = 0;
    this.onComplete = null;
    return processed;
  }

  /** Drops the leaves of the pass; nobody waits for them any more. */
  abandon(): void {
    this.leaves.abandon();
    this.endPass();
  }
}

export interface ExpertParts {
  readonly expert: number;
  readonly share: ShareParts;
  readonly weights: Weights;
}
