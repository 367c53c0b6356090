/** The streams of a step: what it reads and what it writes, whether it runs a program or hands rows over. */
import type { Step } from '../../models/model.ts';

export const readsOf = (step: Step): string[] => (step.kind === 'run' ? Object.values(step.reads) : [step.gives]);
export const writesOf = (step: Step): string[] => (step.kind === 'run' ? Object.values(step.writes) : [step.takes]);
