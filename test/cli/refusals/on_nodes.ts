/**
 * A launch on two nodes, somewhere: which server, by which keys, in which environment. And a look at what it has left: no
 * process, no temporary file, and of the run that it was to go on with every file as it was.
 */
import { expect } from 'vitest';
import { troupeHere, type Ended, type Environment } from '../here.ts';
import { Launched } from '../remains.ts';
import { at, contentsOf, folder } from '../training.ts';

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
  return new Launched(argumentsOf(runDir, keys, more), { TROUPE_NATS_TOKEN: undefined, ...environment });
}

/** The launcher of such a launch in this process, for what is found before it has nodes. */
export function launcherHere(runDir: string, { keys, environment }: Ground, ...more: string[]): Promise<Ended> {
  return troupeHere(folder, argumentsOf(runDir, keys, more), environment);
}

function argumentsOf(runDir: string, keys: Ground['keys'], more: readonly string[]): string[] {
  const settings = Object.entries({ nodes: 2, ...keys }).flatMap(([key, value]) => [
    '--set',
    `cluster.${key}=${value}`,
  ]);
  return ['launch', 'tiny.yaml', '--run-dir', runDir, ...settings, ...more];
}
