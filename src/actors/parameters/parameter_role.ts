/**
 * What stages, routers and experts have in common: parameters, the summed gradient of the step that is being decided,
 * and the messages about both. A role that is a replica of another computes everything and reports nothing.
 */
import type { ActorScope, TensorPayload } from '../../runtime/index.ts';
import type { OptimizerSection } from '../../topology/index.ts';
import type { Gradient, ParameterSet } from './parameter_set.ts';
import type { Decision } from '../protocol/stateful.ts';

export class ParameterRole {
  private readonly parameters: ParameterSet;
  private readonly optimizer: OptimizerSection;
  private readonly versions: Pick<ActorScope, 'setParamsVersion'>;
  private readonly isReporter: boolean;
  private gradient: Gradient | null = null;
  private dataStep = 0;

  constructor(
    parameters: ParameterSet,
    optimizer: OptimizerSection,
    versions: Pick<ActorScope, 'setParamsVersion'>,
    isReporter: boolean,
  ) {
    this.parameters = parameters;
    this.optimizer = optimizer;
    this.versions = versions;
    this.isReporter = isReporter;
    this.setStep(0);
  }

  /** The named parameters and their moments, if this replica reports. */
  async save({ parameters }: { parameters: readonly string[] }): Promise<{ tensors: Record<string, TensorPayload> }> {
    return { tensors: this.isReporter ? await this.parameters.save(parameters) : {} };
  }

  restore({ tensors, dataStep }: { tensors: Record<string, TensorPayload>; dataStep: number }): void {
    this.parameters.restore(tensors);
    this.setStep(dataStep);
  }

  async digest(): Promise<Record<string, string>> {
    return this.isReporter ? await this.parameters.digest() : {};
  }

  /** Applies the decision that stands where it was not applied yet; without one, lets go of what was voted on. */
  async settle({ decision }: { decision: Decision | null }): Promise<void> {
    if (decision !== null) await this.applyDecision(decision);
    if (this.gradient !== null) this.parameters.giveGradient(this.gradient);
    this.gradient = null;
  }

  /** Data steps that the parameters have seen. */
  protected get version(): number {
    return this.dataStep;
  }

  /** Keeps the gradient that the decision will be about. */
  protected holdGradient(gradient: Gradient): void {
    this.gradient = gradient;
  }

  /** Sums of squares of the held gradient, if this replica reports. */
  protected async squares(): Promise<Record<string, number>> {
    return this.gradient !== null && this.isReporter ? await this.parameters.squares(this.gradient) : {};
  }

  /** Idempotent: only a decision about the step in hand changes anything. */
  protected async applyDecision(decision: Decision): Promise<void> {
    if (decision.step !== this.dataStep) return;
    if (this.gradient !== null) {
      if (decision.verdict === 'commit') await this.parameters.update(this.gradient, decision, this.optimizer);
      this.parameters.giveGradient(this.gradient);
      this.gradient = null;
    }
    this.setStep(decision.step + 1);
  }

  private setStep(step: number): void {
    this.dataStep = step;
    this.versions.setParamsVersion(step);
  }
}
