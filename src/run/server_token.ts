/**
 * The token of a NATS server that runs already comes from a file that only its owner may read, or from the environment.
 */
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { codeOf } from '../system_error.ts';
import type { Topology } from '../topology/index.ts';

/** The file with the token cannot be used. */
export class TokenFileRefused extends Error {
  readonly tag = 'TokenFileRefused';
  readonly exitCode = 2;
  constructor(path: string, reason: string) {
    super(`cluster.nats.token_file ${path}: ${reason}`);
    this.name = 'TokenFileRefused';
  }
}

/** Reads the token; undefined where none was given. Paths are relative to `baseDir`. Throws `TokenFileRefused`. */
export function tokenOf({ token_file: file }: Topology['cluster']['nats'], baseDir: string): string | undefined {
  return file === undefined ? process.env.TROUPE_NATS_TOKEN : readToken(resolve(baseDir, file));
}

function readToken(path: string): string {
  let mode: number;
  let token: string;
  try {
    ({ mode } = statSync(path));
    token = readFileSync(path, 'utf8').trim();
  } catch (error) {
    const code = codeOf(error);
    throw new TokenFileRefused(path, `cannot be read (${code}); correct the path, or set TROUPE_NATS_TOKEN`);
  }
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    throw new TokenFileRefused(
      path,
      `others may read it (mode ${(mode & 0o777).toString(8)}); run 'chmod 600 ${path}'`,
    );
  }
  if (token === '') throw new TokenFileRefused(path, 'is empty; write the token of the NATS server into it');
  return token;
}
