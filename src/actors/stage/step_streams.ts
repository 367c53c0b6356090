/** A step reads and writes streams, whether it runs a program or hands rows over; both are listed here. */
import type { Step } from '../../models/model.ts';

export const readsOf = (step: Step): string[] => (step.kind === 'run' ? Object.values(step.reads) : [step.gives]);
export const writesOf = (step: Step): string[] => (step.kind === 'run' ? Object.values(step.writes) : [step.takes]);

/** Of what a step writes that which has a gradient. */
export const learntFrom = (step: Step): string[] =>
  step.kind === 'run'
    ? Object.entries(step.writes).flatMap(([name, stream]) => (step.reports?.includes(name) === true ? [] : [stream]))
    : [step.takes];
