/**
 * A question that is asked in a process of its own, with a limit on its time: a library that crashes or a driver that
 * hangs ends the probe and not the doctor. The probe's last line on standard output is its answer, as JSON.
 */
import { execFile, type ExecFileException } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

export type Answer<T> =
  /** `noise` is what was written to standard error meanwhile. */
  | { readonly kind: 'answered'; readonly value: T; readonly noise: string }
  | { readonly kind: 'failed'; readonly reason: string; readonly noise: string };

export interface Question<T> {
  /** Path of a program that calls `answer`. */
  readonly program: string;
  readonly args?: readonly string[];
  readonly schema: z.ZodType<T>;
  readonly limitMs: number;
}

const spoken = z.union([z.strictObject({ value: z.unknown() }), z.strictObject({ failure: z.string() })]);

/** The path of a probe beside this file, compiled or not. */
export function probeProgram(name: string): string {
  const here = fileURLToPath(import.meta.url);
  return path.join(path.dirname(here), `${name}${path.extname(here)}`);
}

/** Runs the program and waits until it has ended; kills it at the limit. Never rejects. */
export function ask<T>({ program, args = [], schema, limitMs }: Question<T>): Promise<Answer<T>> {
  const { promise, resolve } = Promise.withResolvers<Answer<T>>();
  const env = { ...process.env, NODE_OPTIONS: '' };
  const options = { env, timeout: limitMs, killSignal: 'SIGKILL', encoding: 'utf8' } as const;
  execFile(process.execPath, [program, ...args], options, (error, stdout, noise) => {
    if (error !== null) return resolve({ kind: 'failed', reason: endOf(error, limitMs), noise });
    try {
      const said = spoken.parse(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? ''));
      if ('failure' in said) resolve({ kind: 'failed', reason: said.failure, noise });
      else resolve({ kind: 'answered', value: schema.parse(said.value), noise });
    } catch {
      resolve({ kind: 'failed', reason: 'it ended without an answer', noise });
    }
  });
  return promise;
}

function endOf(error: ExecFileException, limitMs: number): string {
  if (error.killed === true) return `it took more than ${limitMs / 1000} s and was ended`;
  if (error.signal != null) return `it crashed (${error.signal})`;
  return `it ended with code ${error.code ?? 'unknown'}`;
}

/** The whole of a probe's program: answers with what `work` comes to, and ends the process. */
export async function answer(work: () => Promise<unknown>): Promise<void> {
  const said = await work().then(
    (value) => ({ value }),
    (error: unknown) => ({ failure: (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ') }),
  );
  // Native code keeps threads that would hold the process; by now none of them is in the middle of anything.
  process.stdout.write(`${JSON.stringify(said)}\n`, () => process.exit());
}
