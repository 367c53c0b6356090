/** The floors of the house: which folder of `src` may import which, and what a file may take of any. */

/** From the top down; folders of one floor import nothing of each other. */
export const floors: readonly (readonly string[])[] = [
  ['cli'],
  ['actors'],
  ['models'],
  ['kernels', 'runtime', 'topology', 'data', 'checkpoints', 'telemetry'],
];

/** The same inside of `runtime`. */
export const runtimeFloors: readonly (readonly string[])[] = [['cluster'], ['transport'], ['system']];

/** Types of these may be imported from everywhere. */
export const openTypes: readonly string[] = ['telemetry', 'topology'];

/** Whether a file of folder `from` may import one of folder `to`. */
export function mayImport(of: readonly (readonly string[])[], from: string, to: string): boolean {
  const floorOf = (folder: string) => of.findIndex((floor) => floor.includes(folder));
  const [above, below] = [floorOf(from), floorOf(to)];
  return from === to || above < 0 || below < 0 || above < below;
}
