/**
 * What an expert is made of: its parameters, and its gradient. The expert's actor answers for it; its group, on the same
 * worker, runs it, and has it vote and apply, since the rows of all experts of a group travel and lie together.
 */
import type { Bindings } from '../../kernels/device.ts';
import type { Weights } from '../../models/model.ts';
import { weightBindings } from '../stage/bindings.ts';
import type { LeafGradients } from '../parameters/leaf_gradients.ts';
import type { Shareholding } from '../parameters/shareholding.ts';
import type { ShareParts } from '../parameters/share_parts.ts';
import type { AppliedDecision } from '../protocol/parameters.ts';
import type { Unit } from '../protocol/pass.ts';

/** Is told which version of the parameters an expert had, and which it has now. */
type OnReach = (from: number, to: number) => void;

export class ExpertCore {
  readonly expert: number;
  readonly share: ShareParts;
  /** Its parameters by the names that its programs have for them. */
  readonly values: Bindings;
  private readonly weights: Weights;
  private readonly leaves: LeafGradients;
  private reached = 0;
  private onReach: OnReach = () => undefined;
  /** Of the actor that answers for it. */
  private holding: Shareholding | null = null;

  constructor({ expert, share, weights }: ExpertParts) {
    this.expert = expert;
    this.share = share;
    this.weights = weights;
    this.values = weightBindings(weights, share.parameters.values);
    this.leaves = share.leaves;
  }

  /** The version of its parameters: steps that they have seen. */
  get version(): number {
    return this.reached;
  }

  /** Says which of its lives the actor is in. */
  holdBy(holding: Shareholding): void {
    this.holding = holding;
  }

  whenReached(onReach: OnReach): void {
    this.onReach = onReach;
  }

  reach(version: number): void {
    const { reached } = this;
    this.reached = version;
    this.onReach(reached, version);
  }

  /** Tensors for the microbatch's leaf of the gradient; nobody waits for it but the step's end. */
  openLeaf(unit: Unit): Bindings {
    return weightBindings(this.weights, this.leaves.open(unit.microbatch).views, 'd_');
  }

  /** The leaf is made. */
  closeLeaf(unit: Unit): Promise<void> {
    return this.leaves.close(unit.microbatch);
  }

  /** No row of a microbatch came here: it has no leaf. */
  skipLeaf(unit: Unit): Promise<void> {
    return this.leaves.skip(unit.microbatch);
  }

  /** Holds on to the gradient of a step, of which all leaves are made; gives its squares by tensor. */
  vote(): Promise<Readonly<Record<string, number>>> {
    return this.held().vote();
  }

  apply(decision: AppliedDecision): Promise<void> {
    return this.held().apply(decision);
  }

  private held(): Shareholding {
    if (this.holding === null) throw new Error(`expert ${this.expert}: no actor answers for it yet`);
    return this.holding;
  }
}

export interface ExpertParts {
  readonly expert: number;
  readonly share: ShareParts;
  readonly weights: Weights;
}
