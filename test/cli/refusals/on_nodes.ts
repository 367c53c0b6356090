/**
 * A launch on two nodes, somewhere: which server, by which keys, in which environment. And a look at what it has left: no
 * process, no temporary file, and of the run that it was to go on with every file as it was.
 */
import { expect } from 'vitest';
import { Launched } from '../remains.ts';
import { at, contentsOf } from '../training.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** `copy` is one of the run `earlier`; its events may tell of the failure. */
export async function expectNothingLeft(launched: Launched, copy?: string): Promise<void> {
  await launched.gone();
  expect(launched.files).toEqual([]);
  if (copy === undefined) return;
  const [before, after] = ['earlier', copy].map((run) => contentsOf(at(run)));
  const events = 'events.jsonl';
  expect(after.get(events)?.startsWith(before.get(events) ?? '')).toBe(true);
  for (const files of [before, after]) files.delete(events);
  expect(after).toEqual(before);
}

export interface Ground {
  readonly keys: Readonly<Record<string, string | number>>;
  readonly environment?: Environment | undefined;
}

export function onNodes(runDir: string, { keys, environment }: Ground, ...more: string[]): Launched {
  const settings = Object.entries({ nodes: 2, ...keys }).flatMap(([key, value]) => [
    '--set',
    `cluster.${key}=${value}`,
  ]);
  const args = ['launch', 'tiny.yaml', '--run-dir', runDir, ...settings, ...more];
  return new Launched(args, { TROUPE_NATS_TOKEN: undefined, ...environment });
}
