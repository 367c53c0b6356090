/** The line that says how to go on with a run, whoever prints it; and words as a shell takes them. */

export interface Continuation {
  readonly runDir: string;
  /** Its model is a module of sublayers, which was allowed to run. */
  readonly runsCode: boolean;
  /** Options that changed the topology and are not in the directory's config yet. */
  readonly overrides?: readonly string[];
}

/** `continue with: npx troupe launch --resume runs/mine`: the run directory holds all else. */
export function continueLine({ runDir, runsCode, overrides = [] }: Continuation): string {
  const words = ['launch', '--resume', runDir, ...overrides, ...allowing(runsCode)];
  return `continue with: npx troupe ${words.map(quoted).join(' ')}`;
}

/** What a command needs for a model that is somebody's module. */
export const allowing = (runsCode: boolean): string[] => (runsCode ? ['--allow-code'] : []);

/** A word that a shell takes as one. */
export const quoted = (word: string): string =>
  /^[\w./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
