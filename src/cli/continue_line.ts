/** The line that says how to go on with a run, whoever prints it; and words as a shell takes them. */

export interface Continuation {
  readonly runDir: string;
  /** The topology file that the user gave, where the directory's config is not that yet. */
  readonly file?: string | undefined;
  /** Its model is a module of sublayers, which was allowed to run. */
  readonly runsCode: boolean;
  /** Options that changed the topology and are not in the directory's config yet. */
  readonly overrides?: readonly string[];
}

/**
 * `continue with: npx troupe launch --resume runs/mine`: the run directory holds all else. Whoever names a file has chosen
 * the module that it names, too.
 */
export function continueLine({ file, runDir, runsCode, overrides = [] }: Continuation): string {
  const named = file === undefined ? [] : [file];
  const words = ['launch', ...named, '--resume', runDir, ...overrides, ...allowing(runsCode && file === undefined)];
  return `continue with: npx troupe ${words.map(quoted).join(' ')}`;
}

/** What a command needs for a model that is somebody's module. */
export const allowing = (runsCode: boolean): string[] => (runsCode ? ['--allow-code'] : []);

/** A word that a shell takes as one. */
export const quoted = (word: string): string =>
  /^[\w./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
