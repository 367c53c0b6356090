/**
 * A question on the terminal before something is done to the machine that nobody has asked for. Where there is no terminal
 * there is nobody to ask, and nothing is done.
 */
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

export interface Terminal {
  readonly input: Readable & { readonly isTTY?: boolean };
  readonly output: Writable & { readonly isTTY?: boolean };
}

/** Yes (`y` or `yes`), no (all else, Ctrl-C and Ctrl-D too), or null where there is nobody to ask. */
export function agreementTo(question: string, { input, output }: Terminal): Promise<boolean | null> {
  if (input.isTTY !== true || output.isTTY !== true) return Promise.resolve(null);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const terminal = createInterface({ input, output });
  // Ends by Ctrl-C and Ctrl-D too; then the line is still the question's.
  terminal.once('close', () => {
    output.write('\n');
    resolve(false);
  });
  terminal.question(`${question} [y/N] `, (answer) => {
    resolve(/^\s*y(es)?\s*$/i.test(answer));
    terminal.removeAllListeners('close');
    terminal.close();
  });
  return promise;
}
