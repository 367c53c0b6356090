/** An expert whose vote cannot be made says so to whoever waits for it: it is made beside the messages, where nobody else hears. */
import { afterAll, expect, it, vi } from 'vitest';
import { Expert } from '../../../src/actors/mixture/expert.ts';
import { ExpertCore } from '../../../src/actors/mixture/expert_core.ts';
import { holdingsOf } from '../../../src/actors/parameters/holding.ts';
import { createShare } from '../../../src/actors/parameters/share_parts.ts';
import { expertAddress } from '../../../src/actors/placement/addresses.ts';
import { trainingPass } from '../../../src/actors/protocol/pass.ts';
import { voteSchema } from '../../../src/actors/protocol/parameters.ts';
import { CpuDevice } from '../../../src/kernels/cpu/device.ts';
import { matrix } from '../../../src/models/parameter.ts';
import { ask, createLocalSystem, defineProtocol } from '../../../src/runtime/index.ts';
import { smallTopology } from '../kit.ts';

const device = new CpuDevice({ bytes: 2 ** 20 });
const system = createLocalSystem();
afterAll(async () => {
  await system.stop();
  await device.close();
});

const voterProtocol = defineProtocol('expert_voter', { prepare: ask({ reply: voteSchema }) });

it('whose squares fail refuses the vote with the reason', async () => {
  const address = expertAddress('0', 0);
  const weights = { w: matrix('w', 8, 16) };
  const share = await createShare(device, device.slice('expert', 2 ** 20), {
    address,
    holdings: holdingsOf(weights, [address]),
    range: { first: 0, count: 1, of: 1 },
    alive: 1,
    optimizer: smallTopology().optimizer,
    seed: 1,
  });
  const core = new ExpertCore({ expert: 0, share, weights }, 1);
  const voter = system.spawn(voterProtocol, address, (scope) => {
    const expert = new Expert(core, { mixture: '0', group: 0 }, scope);
    return { prepare: (_, ctx) => expert.prepare(undefined, ctx) };
  });

  const unit = { ...trainingPass(0), microbatch: 0 };
  core.openLeaf(unit);
  await core.closeLeaf(unit);
  vi.spyOn(share.parameters, 'squares').mockRejectedValue(new Error('the device is gone'));
  await expect(voter.ask.prepare()).rejects.toThrow('the device is gone');
});
