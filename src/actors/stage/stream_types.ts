/** The types of a part's streams follow from the programs that read and write them; a hand's answer is of the kind that it gives. */
import { typeOf } from '../../kernels/program.ts';
import type { Type } from '../../kernels/type.ts';
import type { StagePart } from './stage_part.ts';

export function streamTypes({ steps }: Pick<StagePart, 'steps'>): Map<string, Type> {
  const types = new Map<string, Type>();
  for (const step of steps) {
    if (step.kind === 'run') {
      const names = [...Object.entries(step.reads), ...Object.entries(step.writes)];
      for (const [name, stream] of names) types.set(stream, typeOf(step.program, name));
      continue;
    }
    const given = types.get(step.gives);
    if (given !== undefined) types.set(step.takes, given);
  }
  return types;
}
