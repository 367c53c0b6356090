/**
 * What a command line of `troupe launch` names: a topology file, a run directory, and whether to go on with the run in it.
 * `--resume RUN_DIR` says all three, since a run directory holds its own topology file.
 */
import { join } from 'node:path';
import { UsageError } from './usage_error.ts';

export interface LaunchTarget {
  /** The topology file. */
  readonly file: string;
  /** Undefined for a new directory with a name of its own. */
  readonly runDir: string | undefined;
  readonly resume: boolean;
  /** The topology file is the run directory's, and not one that the user wrote or chose. */
  readonly isOfRun: boolean;
}

/** `resume` is the option's value, or true where it has none. Throws `UsageError`. */
export function launchTarget(
  named: string | undefined,
  { resume, runDir }: { readonly resume?: string | true; readonly runDir?: string },
): LaunchTarget {
  if (resume === undefined) {
    if (named !== undefined) return { file: named, runDir, resume: false, isOfRun: false };
    const example = 'for example configs/quickstart.yaml';
    throw new UsageError(`launch: name a topology file, ${example}, or a run to go on with: --resume RUN_DIR`);
  }
  // `--resume FILE --run-dir DIR`: the option has taken the file for its value.
  const isSwallowed = typeof resume === 'string' && named === undefined && runDir !== undefined && resume !== runDir;
  const file = isSwallowed ? resume : named;
  const directories = new Set([isSwallowed || resume === true ? undefined : resume, runDir]);
  directories.delete(undefined);
  const [directory, another] = directories;
  if (directory === undefined) {
    throw new UsageError('--resume needs the directory of the run to continue: --resume RUN_DIR');
  }
  if (another !== undefined) {
    throw new UsageError(`--resume ${directory} and --run-dir ${another} are two directories; name one of them`);
  }
  const isOfRun = file === undefined;
  return { file: file ?? join(directory, 'config.yaml'), runDir: directory, resume: true, isOfRun };
}
