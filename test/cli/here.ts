/**
 * A command here is one that is called in the test's own process, by what its process calls: with its folder and its
 * environment, and what it writes. It tells all but how a process begins and ends.
 */
import { vi } from 'vitest';
import { runProgram } from '../../src/cli/program.ts';

export interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

export type Environment = Readonly<Record<string, string | undefined>>;

const plainly: Environment = { NO_COLOR: '1', FORCE_COLOR: undefined, TROUPE_NATS_TOKEN: undefined };

/** Calls the command in `folder`, one at a time, with this environment beside the test's own. */
export async function troupeHere(
  folder: string,
  args: readonly string[],
  environment: Environment = {},
): Promise<Ended> {
  const before = process.cwd();
  const listeners = process.listeners('SIGUSR1');
  for (const [name, value] of Object.entries({ ...plainly, ...environment })) vi.stubEnv(name, value);
  process.chdir(folder);
  const [stdout, stderr] = [process.stdout, process.stderr].map(writtenTo);
  try {
    const exitCode = await runProgram(args);
    return { stdout: stdout.text(), stderr: stderr.text(), exitCode };
  } finally {
    for (const { restore } of [stdout, stderr]) restore();
    process.chdir(before);
    vi.unstubAllEnvs();
    for (const listener of process.listeners('SIGUSR1').slice(listeners.length)) process.off('SIGUSR1', listener);
  }
}

/** What is written to a stream, which gets none of it, until it is restored. */
function writtenTo(stream: NodeJS.WriteStream): { text: () => string; restore: () => void } {
  const written: string[] = [];
  const write = vi
    .spyOn(stream, 'write')
    .mockImplementation((text: string | Uint8Array, taken?: string | (() => void)) => {
      written.push(String(text));
      if (typeof taken === 'function') taken();
      return true;
    });
  return { text: () => written.join(''), restore: () => write.mockRestore() };
}
