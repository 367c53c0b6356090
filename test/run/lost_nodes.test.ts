/**
 * Nodes that die in the middle of a run, by SIGKILL: their roles are hosted again, and the run ends with the curve, the
 * parameters and the sample of one that nothing happened to. Nothing is left running.
 */
// @module-tag nats-server
import { afterAll, beforeAll, expect, it } from 'vitest';
import { aloneSettings, atStep, playKilling } from './killed_nodes.ts';
import { bitsOf, eventsOf, recordOf, RunFolder, type Played } from './run_kit.ts';

const folder = new RunFolder();
afterAll(() => folder[Symbol.dispose]());

let alone: Played;
beforeAll(async () => {
  alone = await folder.play(aloneSettings);
});

it('the leader that dies is started again, and the run goes on with the same bits', async () => {
  const played = await playKilling(folder, [{ node: 'node-0', when: atStep(5) }]);
  expect(bitsOf(played)).toEqual(bitsOf(alone));
  expect(recordOf(played)).toEqual(recordOf(alone));
  expect(eventsOf(played.runDir, 'placed').length).toBeGreaterThan(0);
});

it('where a node may not be started again, the others have its roles', async () => {
  const killings = [{ node: 'node-0', when: atStep(3) }];
  const played = await playKilling(folder, killings, { 'cluster.restart.intensity': 0 });
  expect(bitsOf(played)).toEqual(bitsOf(alone));
  expect(eventsOf(played.runDir, 'placed')).toMatchObject([{ gen: 2, step: 2, systems: 'node-1.worker-0' }]);
});
