/**
 * Is there a nats-server that nodes can talk through? It is found as a run finds it, and started as a run starts it.
 * Whatever is wrong is a warning: one node trains without.
 */
import { z } from 'zod';
import { findNatsServer } from '../../runtime/cluster/nats_server.ts';
import { NatsServerMissing } from '../../runtime/cluster/nats_server_errors.ts';
import { partsOf, type Finding } from './finding.ts';
import { ask, probeProgram, type Answer } from './probe.ts';
import { isAtLeast, parseVersion, showVersion, type Version } from './version.ts';

const leastVersion: Version = [2, 9, 0];
const without = 'one node trains without it';
const limitMs = 20_000;

const answerSchema = z.strictObject({ version: z.string(), jetstream: z.boolean(), failure: z.string().nullable() });
export type NatsAnswer = z.infer<typeof answerSchema>;

/** `searchPath` is like PATH, which is the default. */
export async function checkNatsServer(searchPath?: string): Promise<Finding> {
  try {
    const path = findNatsServer(searchPath);
    const answer = await ask({ program: probeProgram('nats_probe'), args: [path], schema: answerSchema, limitMs });
    return judgeNatsServer(path, answer);
  } catch (error) {
    if (error instanceof NatsServerMissing) return missingNatsServer(error);
    throw error;
  }
}

export function missingNatsServer(error: NatsServerMissing): Finding {
  return {
    check: 'nats-server',
    mark: 'warn',
    found: `none on PATH: ${without}`,
    mend: partsOf(error.message).mend,
    facts: { path: null, version: null, jetstream: false },
  };
}

export function judgeNatsServer(path: string, answer: Answer<NatsAnswer>): Finding {
  const said = answer.kind === 'answered' ? answer.value : null;
  const version = parseVersion(said?.version ?? '');
  const facts = { path, version: version && showVersion(version), jetstream: said?.jetstream ?? false };
  const trouble = (found: string, mend: string): Finding => ({
    check: 'nats-server',
    mark: 'warn',
    found: `${path}: ${found}: ${without}`,
    mend,
    facts,
  });
  const renew = `put nats-server ${showVersion(leastVersion)} or newer into a folder of PATH, before this one`;
  const look = `see what '${path} -js -a 127.0.0.1 -p -1' says`;
  if (answer.kind === 'failed') return trouble(`cannot be tried: ${answer.reason}`, look);
  if (version !== null && !isAtLeast(version, leastVersion))
    return trouble(`${showVersion(version)} is too old`, renew);
  if (answer.value.failure !== null) {
    const { found, mend } = partsOf(answer.value.failure);
    return trouble(`does not start: ${found}`, mend ?? look);
  }
  if (version === null) return trouble('does not say its version', renew);
  if (!answer.value.jetstream) return trouble(`${showVersion(version)} has no JetStream`, renew);
  return {
    check: 'nats-server',
    mark: 'ok',
    found: `${showVersion(version)} at ${path}, starts with JetStream`,
    mend: null,
    facts,
  };
}
