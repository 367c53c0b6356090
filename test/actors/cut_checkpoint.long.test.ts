/** A connection that is cut while two nodes save a checkpoint costs time and never a number. */
// @module-tag nats-server
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { FaultyNetwork } from './faulty_network.ts';
import { bitsOf, RunFolder, type Played } from './run_kit.ts';

const folder = new RunFolder();

/** A model whose checkpoint takes some time, and little else does. */
const settings = {
  'training.steps': 4,
  'training.eval_interval': 2,
  'checkpoint.interval': 2,
  'training.global_batch_size': 4,
  'training.sequence_length': 16,
  'training.eval_sequences': 4,
  'model.hidden_size': 256,
  'model.intermediate_size': 1024,
  'cluster.memory_per_worker': '512MiB',
};

let alone: Played;
let network: FaultyNetwork;
beforeAll(async () => {
  alone = await folder.play(settings);
});
beforeEach(async () => {
  network = await FaultyNetwork.open();
});
afterEach(() => network.close());
afterAll(() => folder[Symbol.dispose]());

it.each([20, 150])('connections that are cut %i ms into a checkpoint cost another one', async (ms) => {
  const played = await network.play(folder, settings, {
    watch: (event) => {
      if (event.kind === 'evaluated' && event.step === 2) setTimeout(() => network.proxy.cut(), ms);
    },
  });
  expect(played.outcome).toMatchObject({ status: 'done', step: 4 });
  expect(bitsOf(played)).toEqual(bitsOf(alone));
});
