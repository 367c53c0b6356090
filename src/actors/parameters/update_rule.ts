/**
 * An update rule is the joint between parameters and what changes them: it says what it keeps of each parameter from step
 * to step, which program makes an update, and the numbers that the program takes from a decision. Whoever holds parameters
 * (`bucket.ts`) gives memory and runs the programs, and knows no rule by name.
 */
import type { Program } from '../../kernels/program.ts';
import type { OptimizerSection } from '../../topology/index.ts';
import type { AppliedDecision } from '../protocol/parameters.ts';

export interface UpdateRule {
  readonly name: OptimizerSection['name'] | 'balance';
  /** Whether what it is given is a gradient of the loss, which counts in the gradient norm; default: yes. */
  readonly isOfLoss?: boolean;
  /** What it keeps of a parameter, each f32 of the parameter's shape and 0 at first; checkpoints have it as `<parameter>.<state>`. */
  readonly states: readonly string[];
  /**
   * What one run of its program updates: a whole arena as one vector (or any part of one), where elements do not know of each
   * other; or one parameter in its own shape.
   */
  readonly covers: 'arena' | 'parameter';
  /** Length of `hyper`. */
  readonly hyperLength: number;
  /**
   * The update of f32 `shape`: the same program object for the same arguments. Inputs: `parameters` and each of `states`, which
   * it updates in place; `gradient`; and `hyper`, f32 [hyperLength]. Throws `ShapeError` for a shape that it has no update of.
   */
  program(shape: readonly number[], decays: boolean): Program;
  /** The same by a gradient of zeros, which is no input: the same bits; absent where nothing is saved by that. */
  readonly programOfNone?: UpdateRule['program'];
  /** The numbers of one update, of any program of the rule. */
  hyper(decision: UpdateDecision, optimizer: OptimizerSection): Float32Array<ArrayBuffer>;
}

/** What an update is told of the decision that it applies. */
export type UpdateDecision = Pick<AppliedDecision, 'lr' | 'clip' | 'updateStep'>;
