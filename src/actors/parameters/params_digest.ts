/**
 * The digest of all parameters of a run: what must be equal where its numbers are, whatever it lives on. A checkpoint has
 * that of its moment, and who takes it up compares.
 */
import { createHash } from 'node:crypto';
import type { ActorScope } from '../../runtime/index.ts';
import type { CastEntry } from '../placement/cast_entry.ts';
import { parametersProtocol } from '../protocol/parameters.ts';

/** SHA-256 over the names and digests of the parameters of `holders`, in the order of their names. */
export async function paramsDigest(
  from: Pick<ActorScope, 'ref'>,
  holders: readonly CastEntry[],
  timeoutMs: number,
): Promise<string> {
  const parts = await Promise.all(
    holders.map(({ address }) => from.ref(parametersProtocol, address).ask.digest(undefined, { timeoutMs })),
  );
  const lines = parts.flatMap((part) => Object.entries(part).map(([name, sha]) => `${name} ${sha}\n`)).sort();
  return createHash('sha256').update(lines.join('')).digest('hex');
}
