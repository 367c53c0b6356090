/**
 * How an error crosses: its tag and its one line. The stack stays where it was thrown.
 */

import { describeError, RemoteError, tagOf } from './errors.ts';

export interface ErrorForm {
  readonly tag: string;
  readonly message: string;
}

export const toErrorForm = (error: unknown): ErrorForm => ({ tag: tagOf(error), message: describeError(error) });

/** The error that `args` describe. */
export function fromErrorForm(args: unknown): RemoteError {
  if (typeof args === 'object' && args !== null && 'tag' in args && 'message' in args) {
    return new RemoteError(String(args.tag), String(args.message));
  }
  return new RemoteError('Error', 'an error without a description');
}
