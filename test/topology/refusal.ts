/** The refusal of a topology file: the one line that its user reads. */
import { ConfigError, parseOverride, parseTopology } from '../../src/topology/index.ts';

/** What is said of this text and these overrides; `accepted` where nothing is. */
export function messageOf(text: string, ...overrides: string[]): string {
  try {
    parseTopology(text, 'run.yaml', overrides.map(parseOverride));
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return 'accepted';
}

/** The sections of a topology file, as a refusal lists them. */
export const sections =
  'name, from, cluster, model, moe, parallelism, training, objective, optimizer, data, evaluations, checkpoint, recovery' as const;
