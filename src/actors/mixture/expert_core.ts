/**
 * What an expert is made of: its parameters, the memory of the microbatches that are with it, and its gradient. The
 * expert's actor answers for it; its group, on the same worker, runs what it gives to be run, since the rows of all experts
 * of a group travel together.
 */
import type { Bindings, Device, Slice, Tensor } from '../../kernels/device.ts';
import type { Weights } from '../../models/model.ts';
import { alike } from '../placement/alike.ts';
import { tensorFor, weightBindings } from '../stage/bindings.ts';
import type { ExpertPrograms, ExpertRun } from './expert_programs.ts';
import type { LeafGradients } from '../parameters/leaf_gradients.ts';
import type { ShareParts } from '../parameters/share_parts.ts';
import { keyOf, type Unit } from '../protocol/pass.ts';

export class ExpertCore {
  readonly expert: number;
  readonly share: ShareParts;
  private readonly weights: Weights;
  private readonly leaves: LeafGradients;
  private readonly contexts: readonly Bindings[];
  private idle: Bindings[];
  private readonly held = new Map<string, ExpertRun>();
  private readonly expected: number;
  private closed = 0;
  private processed = 0;
  private onComplete: (() => void) | null = null;

  /** `expected` microbatches make a step. */
  constructor({ expert, share, weights, contexts }: ExpertParts, expected: number) {
    this.expert = expert;
    this.share = share;
    this.weights = weights;
    this.leaves = share.leaves;
    this.expected = expected;
    this.contexts = contexts;
    this.idle = [...contexts];
  }

  /** Whether all memory for microbatches is in use. */
  get isFull(): boolean {
    return this.idle.length === 0;
  }

  /** What runs for so many rows, once they are laid into rows_SD. */
  admit(rows: number): ExpertRun {
    const bindings = this.idle.pop();
    if (bindings === undefined) throw new Error(`expert ${this.expert}: more microbatches under way than contexts`);
    return { bindings, rows };
  }

  /** A run has gone forward. In training it is kept for the way back. */
  hold(unit: Unit, run: ExpertRun): void {
    if (unit.kind === 'train') {
      this.held.set(keyOf(unit), run);
      this.processed += run.rows;
    } else this.idle.push(run.bindings);
  }

  /** What runs for the gradients of outputs, once they are laid into d_outputs_SD. */
  heldOf(unit: Unit): ExpertRun {
    const run = this.held.get(keyOf(unit));
    if (run === undefined) throw new Error(`expert ${this.expert}: a gradient of ${keyOf(unit)}, which it never saw`);
    return run;
  }

  /** What runs for the microbatch's leaf of the gradient; nobody waits for it but the step's end. */
  openLeaf(unit: Unit): ExpertRun {
    const { bindings, rows } = this.heldOf(unit);
    const leaf = this.leaves.open(unit.microbatch);
    return { bindings: { ...bindings, ...weightBindings(this.weights, leaf.views, 'd_') }, rows };
  }

  /** The leaf is made. */
  async closeLeaf(unit: Unit): Promise<void> {
    this.idle.push(this.heldOf(unit).bindings);
    this.held.delete(keyOf(unit));
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

  /** Drops the microbatches that are with it, and their leaves; nobody waits for them any more. */
  abandon(): void {
    this.held.clear();
    this.idle = [...this.contexts];
    this.leaves.abandon();
    this.endPass();
  }
}

export interface ExpertParts {
  readonly expert: number;
  readonly share: ShareParts;
  readonly weights: Weights;
  /** Of the microbatches that may be with it at once. */
  readonly contexts: readonly Bindings[];
}

interface ContextParts {
  readonly slice: Slice;
  readonly programs: ExpertPrograms;
  /** By the names that the programs have for them. */
  readonly weights: Bindings;
}

/**
 * Takes memory for `count` microbatches from the expert's slice. A context has for itself what passes from forward to
 * backward, and on to the gradients of weights, which come later; all else is of use within one message only, and is one tensor
 * for all contexts. Throws `OutOfSliceMemory`.
 */
export function createExpertContexts(
  device: Pick<Device, 'dry'>,
  count: number,
  { slice, programs: { derivative }, weights }: ContextParts,
): Bindings[] {
  const later = derivative.backwardWeight.inputs.flatMap(({ name, role }) => (role === 'weight' ? [] : [name]));
  const passing = new Set([...derivative.kept, ...derivative.residuals.map(({ name }) => name), ...later]);
  const bindings = [derivative.forward, derivative.backwardInput].flatMap(({ inputs, outputs }) => [
    ...inputs,
    ...outputs,
  ]);
  const common: Record<string, Tensor> = { ...weights };
  for (const { name, value } of bindings) if (!passing.has(name)) common[name] ??= tensorFor(slice, name, value.type);
  return alike(device, count, () => {
    const own: Record<string, Tensor> = {};
    for (const { name, value } of bindings) if (passing.has(name)) own[name] ??= tensorFor(slice, name, value.type);
    return { ...common, ...own };
  });
}
