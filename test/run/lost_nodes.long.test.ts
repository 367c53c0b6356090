/** Deaths of nodes at other times, and of several: see `lost_nodes.test.ts`. */
// @module-tag nats-server
import { afterAll, beforeAll, expect, it } from 'vitest';
import { aloneSettings, atCheckpoint, atStep, playKilling, type Killing } from './killed_nodes.ts';
import { bitsOf, eventsOf, recordOf, RunFolder, type Played } from './run_kit.ts';

const folder = new RunFolder();
afterAll(() => folder[Symbol.dispose]());

let alone: Played;
beforeAll(async () => {
  alone = await folder.play(aloneSettings);
});

it.each<[string, readonly Killing[]]>([
  ['of a node before the first checkpoint', [{ node: 'node-1', when: ({ kind }) => kind === 'ready' }]],
  ['of a node between checkpoints', [{ node: 'node-1', when: atStep(3) }]],
  [
    'of the leader, and then of another',
    [
      { node: 'node-0', when: atCheckpoint(2) },
      { node: 'node-1', when: atStep(7) },
    ],
  ],
  [
    'of all nodes at once',
    [
      { node: 'node-0', when: atStep(3) },
      { node: 'node-1', when: atStep(3) },
    ],
  ],
])('the death %s changes no bit', async (_, killings) => {
  const played = await playKilling(folder, killings);
  expect(bitsOf(played)).toEqual(bitsOf(alone));
  expect(recordOf(played)).toEqual(recordOf(alone));
  expect(eventsOf(played.runDir, 'placed').length).toBeGreaterThan(0);
});

it('where nobody is left, the run ends by the name of the last, resumable', async () => {
  const killings = [
    { node: 'node-0', when: atStep(3) },
    { node: 'node-1', when: atStep(5) },
  ];
  const played = playKilling(folder, killings, { 'cluster.restart.intensity': 0 });
  await expect(played).rejects.toMatchObject({ tag: 'NodeDied', node: 'node-1', exitCode: 1 });
});
