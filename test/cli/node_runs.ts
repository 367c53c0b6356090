/** Launches of the command on two nodes, some long enough to be met in the middle, and what is left of them. */
import { expect } from 'vitest';
import { Launched, pidOf } from './remains.ts';
import { curveOf } from './training.ts';

const nodes = ['--set', 'cluster.nodes=2', '--set', 'cluster.nats.url=auto'];
/** Long enough to be met in the middle. */
export const long = ['--steps', '70', '--set', 'training.eval_interval=0', '--set', 'checkpoint.interval=10'];

export const onNodes = (runDir: string, ...more: string[]): Launched =>
  new Launched(['launch', 'tiny.yaml', '--run-dir', runDir, ...nodes, ...more]);

export const bitsOf = (runDir: string) =>
  curveOf(runDir).map((line) =>
    Object.fromEntries(Object.entries(line).filter(([key]) => key !== 'nodes' && key !== 'workers')),
  );

/** What is left of a run that has ended, by itself or not. */
export async function remainsOf(launched: Launched) {
  await launched.gone();
  return { processes: launched.processes, files: launched.files };
}
export const nothing = { processes: [], files: [] };

/** A run of which a node is killed starts it again, says so, and ends with the bits of the run `whole`, nothing left. */
export async function expectToGoOnWithout(node: string): Promise<void> {
  const launched = onNodes(`lost-${node}`, ...long);
  await launched.said(/^step 20\//);
  process.kill(pidOf(`lost-${node}`, node), 'SIGKILL');
  expect(await launched.ended).toBe(0);
  expect(launched.stdout.filter((line) => line.startsWith(`${node}: ended`))).toEqual([
    `${node}: ended (SIGKILL); restart 1 of at most 5 in 600 s`,
  ]);
  expect(launched.stdout.filter((line) => line.startsWith('going on from step'))).toHaveLength(1);
  expect(await remainsOf(launched)).toEqual(nothing);
  expect(bitsOf(`lost-${node}`)).toEqual(bitsOf('whole'));
}
