/**
 * A rewrite sets one parameter of an actor to what a test wants it to be: it is saved and restored by the messages that
 * checkpoints use, before the first step of a run.
 */
import { z } from 'zod';
import { agentAddress, checkpointerAddress } from '../../src/actors/placement/addresses.ts';
import { agentProtocol } from '../../src/actors/protocol/agent.ts';
import { dataOf } from '../../src/actors/protocol/pass.ts';
import type { Run } from '../../src/run/run.ts';
import { partsOf } from './state_parts.ts';
import { floats } from '../../src/kernels/dtype.ts';
import { ask, defineProtocol, tell, tensorSchema, type TensorPayload } from '../../src/runtime/index.ts';

const saverProtocol = defineProtocol('saver', {
  save: ask({ reply: z.object({ tensors: z.record(z.string(), tensorSchema) }) }),
  leave: tell(),
});

/** Changes one parameter of an actor by way of the messages that checkpoints use, before the first step. */
export async function rewrite(
  { system, holders }: Run,
  address: string,
  name: string,
  change: (values: { readonly data: Float32Array; readonly shape: readonly number[] }) => TensorPayload,
): Promise<void> {
  const agent = agentAddress(systemOf(holders, address));
  // Saved for the checkpointer only, which is not there yet.
  const savers = system.spawn(
    saverProtocol,
    checkpointerAddress,
    (scope) => ({
      save: () => scope.ref(agentProtocol, agent).ask.save({ parameters: [name] }),
      leave: () => scope.stop(),
    }),
    { restart: 'temporary' },
  );
  const { tensors } = await savers.ask.save();
  savers.tell.leave();
  await system.idle();
  const { shape } = tensors[name];
  const data = floats('rewrite', dataOf(tensors[name])).slice();
  const restored = { [name]: change({ data, shape }) };
  await system.ref(agentProtocol, agent).ask.restore({ parts: partsOf(restored), dataStep: 0 });
}

function systemOf(holders: Run['holders'], address: string): string {
  const found = holders.find((each) => each.holders.some((holder) => holder.address === address));
  if (found === undefined) throw new RangeError(`${address} holds no parameters`);
  return found.system;
}
