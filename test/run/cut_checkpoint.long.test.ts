/** A connection that is cut while two nodes save a checkpoint costs time and never a number. */
// @module-tag nats-server
import { expect, it } from 'vitest';
import { onFaultyNetworks } from './faulty_network.ts';
import { bitsOf } from './run_kit.ts';

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

const runs = onFaultyNetworks(settings);

it.each([20, 150])('connections that are cut %i ms into a checkpoint cost another one', async (ms) => {
  const played = await runs.network.play(runs.folder, settings, {
    watch: (event) => {
      if (event.kind === 'evaluated' && event.step === 2) setTimeout(() => runs.network.proxy.cut(), ms);
    },
  });
  expect(played.outcome).toMatchObject({ status: 'done', step: 4 });
  expect(bitsOf(played)).toEqual(bitsOf(runs.alone));
});
