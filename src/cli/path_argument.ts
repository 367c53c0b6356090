/**
 * A path on the command line. An empty one is a variable that the shell did not know, and would mean the working
 * directory.
 */
import { InvalidArgumentError } from 'commander';

/** For commander, as the parser of an option or argument. */
export function pathArgument(text: string): string {
  if (text.trim() !== '') return text;
  throw new InvalidArgumentError('Allowed: a path.');
}
