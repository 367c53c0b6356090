/**
 * The digest of all parameters of a run: what must be equal where its numbers are, whatever it lives on. A checkpoint has
 * that of its moment, and who takes it up compares.
 */
import { createHash } from 'node:crypto';
import type { ActorScope } from '../../runtime/index.ts';
import { agentAddress } from '../placement/addresses.ts';
import { reportedBy, type SystemHolders } from '../placement/system_holders.ts';
import { agentProtocol } from '../protocol/agent.ts';

/** SHA-256 over the names and digests of the parameters of all `holders`, in the order of their names. */
export async function paramsDigest(
  from: Pick<ActorScope, 'ref'>,
  holders: readonly SystemHolders[],
  timeoutMs: number,
): Promise<string> {
  const parts = await Promise.all(
    holders.map(async (each) => {
      const agent = from.ref(agentProtocol, agentAddress(each.system));
      const digests = await agent.ask.digest(undefined, { timeoutMs });
      return each.holders.flatMap(reportedBy).map(({ parameter }, i) => `${parameter.name} ${digests[i]}\n`);
    }),
  );
  const lines = parts.flat().sort();
  return createHash('sha256').update(lines.join('')).digest('hex');
}
