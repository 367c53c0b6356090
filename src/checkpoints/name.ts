/**
 * The name of a checkpoint is its step and generation: `step-000100.g7`. A generation is only ever raised, so ordering by
 * generation and then step is the order of writing, also after a run went back and took another course.
 */

export interface CheckpointName {
  readonly step: number;
  readonly gen: number;
}

/** Suffix of what is not complete yet, or not any more. */
export const PARTIAL = '.partial';

/** Largest generation of a name: an envelope carries 32 bits, and a run that resumes goes up from here. */
export const MAX_GEN = 2 ** 31 - 1;

/** `step-000100.g7`; more than six digits where a step needs them. */
export function formatName({ step, gen }: CheckpointName): string {
  return `step-${String(step).padStart(6, '0')}.g${gen}`;
}

/** The name that a folder stands for, or null if it is none of ours. */
export function parseName(folder: string): CheckpointName | null {
  const match = /^step-(\d{6,})\.g(\d+)$/.exec(folder);
  if (match === null) return null;
  const name = { step: Number(match[1]), gen: Number(match[2]) };
  return name.gen <= MAX_GEN && formatName(name) === folder ? name : null;
}

/** Sorts the newest first: falling generation, then falling step. */
export function newestFirst(a: CheckpointName, b: CheckpointName): number {
  return b.gen - a.gen || b.step - a.step;
}
