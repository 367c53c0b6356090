/**
 * The options by which a command changes a topology file for one run: declared here, and read where the file is, so that a
 * command that reads none loads nothing of it.
 */

/** Options that change a topology file. */
export interface TopologyFlags {
  readonly set?: readonly string[];
  readonly steps?: string;
}

/** How a command declares `--set`, as commander wants it: flags, description, collector. */
export const setOption = [
  '--set <KEY=VALUE>',
  'set a key for this run, for example training.steps=100',
  (value: string, before: readonly string[] = []): readonly string[] => [...before, value],
] as const;

export const stepsOption = ['--steps <N>', 'short for --set training.steps=N'] as const;
