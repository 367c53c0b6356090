/** The floors of the house: which folder of `src` may import which, and what a file may take of any. */

/** From the top down: folders of `src`, and files beside them. What is on one floor imports nothing of each other. */
export const floors: readonly (readonly string[])[] = [
  ['index.ts'],
  ['cli'],
  ['run'],
  ['actors'],
  ['models'],
  ['kernels', 'runtime', 'topology', 'data', 'checkpoints', 'telemetry'],
  ['process_identity.ts', 'visible_text.ts'],
  ['system_error.ts'],
];

/** The same inside of `runtime`. */
export const runtimeFloors: readonly (readonly string[])[] = [
  ['index.ts', 'testing'],
  ['cluster'],
  ['transport'],
  ['system'],
];

/** Types of these may be imported from everywhere. */
export const openTypes: readonly string[] = ['telemetry', 'topology'];

/** Whether a file of folder `from` may import one of folder `to`. What is on no floor may import nothing, and nobody may it. */
export function mayImport(of: readonly (readonly string[])[], from: string, to: string): boolean {
  const floorOf = (folder: string) => of.findIndex((floor) => floor.includes(folder));
  const [above, below] = [floorOf(from), floorOf(to)];
  return above >= 0 && below >= 0 && (from === to || above < below);
}
