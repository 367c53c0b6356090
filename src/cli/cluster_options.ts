/** The options of commands that speak to a cluster by its name and its server. */
import { resolve } from 'node:path';
import type { NatsAddress } from '../runtime/cluster/nats.ts';
import { tokenOf } from '../run/server_token.ts';

export interface ServerFlags {
  readonly nats: string;
  readonly cluster: string;
  readonly tokenFile?: string;
}

export const natsOption = ['--nats <URL>', 'address of the run’s NATS server, such as nats://10.0.0.7:4222'] as const;
export const clusterOption = ['--cluster <NAME>', 'name of the run, as its topology has it'] as const;
export const tokenFileOption = [
  '--token-file <FILE>',
  'file with the token of the server, readable by its owner only; else TROUPE_NATS_TOKEN of the environment',
] as const;

/** The server with its token. Throws `TokenFileRefused`. */
export function serverOf({ nats: url, tokenFile }: ServerFlags): NatsAddress {
  const token = tokenOf({ url, token_file: tokenFile }, resolve('.'));
  return token === undefined || token === '' ? { url } : { url, token };
}
