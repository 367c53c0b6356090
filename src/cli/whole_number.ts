/** A whole number on the command line. */
import { InvalidArgumentError } from 'commander';

/** For commander, as the parser of an option: what is below `least`, or no whole number, is refused. */
export const wholeNumber =
  (least: number) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`Allowed: a whole number, ${least} or more.`);
  };
