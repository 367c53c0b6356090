/** A group votes for its experts, beside the messages that come, where nobody else would hear that it could not. */
import { afterAll, expect, it, vi } from 'vitest';
import { Expert } from '../../../src/actors/mixture/expert.ts';
import { ExpertCore } from '../../../src/actors/mixture/expert_core.ts';
import { GroupVote } from '../../../src/actors/mixture/group_vote.ts';
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

const voterProtocol = defineProtocol('group_voter', { prepare: ask({ reply: voteSchema }), abandon: ask() });
const answererProtocol = defineProtocol('expert_answerer', {});

const unit = { ...trainingPass(0), microbatch: 0 };

/** A group of two experts, each of one matrix, whose first leaves are open and written. */
async function group(mixture: string, optimizer = smallTopology().optimizer, microbatches = 1) {
  const cores: ExpertCore[] = [];
  for (const expert of [0, 1]) {
    const address = expertAddress(mixture, expert);
    const weights = { w: matrix(`w${expert}`, 8, 16) };
    const share = await createShare(device, device.slice(address, 2 ** 20), {
      address,
      holdings: holdingsOf(weights, [address]),
      range: { first: 0, count: microbatches, of: microbatches },
      alive: microbatches,
      optimizer,
      seed: 1,
    });
    const core = new ExpertCore({ expert, share, weights });
    system.spawn(answererProtocol, address, (scope) => new Expert(core, scope));
    cores.push(core);
  }
  const vote = new GroupVote({ cores, mixture, microbatches });
  const voter = system.spawn(voterProtocol, `voter-${mixture}`, () => ({
    prepare: (_, ctx) => vote.prepare(ctx),
    abandon: () => vote.abandon(),
  }));
  for (const core of cores) device.write(core.openLeaf(unit).d_w, new Float32Array(128).fill(1 + core.expert));
  vote.count(5);
  return { cores, vote, voter };
}

it('a group votes with the squares of all its experts once their gradients are made, and the rows that it had', async () => {
  const { cores, vote, voter } = await group('0');
  const voted = voter.ask.prepare();
  for (const core of cores) await core.closeLeaf(unit);
  vote.weigh();
  expect(await voted).toMatchObject({ squares: { w0: 128, w1: 512 }, processed: { 0: 5 } });
});

it('a group whose squares fail refuses the vote with the reason', async () => {
  const { cores, vote, voter } = await group('1');
  for (const core of cores) await core.closeLeaf(unit);
  vote.weigh();
  vi.spyOn(cores[1].share.parameters, 'squares').mockRejectedValue(new Error('the device is gone'));
  await expect(voter.ask.prepare()).rejects.toThrow('the device is gone');
});

it('a group that abandons a pass refuses the vote on it, and begins the next one with nothing', async () => {
  const { cores, vote, voter } = await group('2');
  const voted = voter.ask.prepare();
  const refused = expect(voted).rejects.toThrow('the gen of this pass is over');
  await voter.ask.abandon();
  await refused;
  for (const core of cores) await core.closeLeaf(unit);
  vote.weigh();
  expect(await voter.ask.prepare()).toMatchObject({ processed: { 2: 0 } });
});

it.each(['adamw', 'muon'] as const)(
  'what no row came to is summed, counted and updated by %s as if it had gradients of zeros',
  async (name) => {
    const { optimizer } = smallTopology({ 'optimizer.name': name });
    const stateOf = async (mixture: string, isSkipped: boolean) => {
      const { cores, vote, voter } = await group(mixture, optimizer, 2);
      const zeros = new Float32Array(128);
      const steps = [0, 1, 2].map((step) => ({ gen: 1, step, verdict: 'commit' as const, updateStep: 1 + step }));
      for (const { step, ...decision } of steps) {
        // The first has gradients of two microbatches, of one, and of none; the second of one, of none, and of none.
        for (const microbatch of [0, 1]) {
          for (const core of cores) {
            if (isSkipped && step + microbatch + core.expert > 1) await core.skipLeaf({ ...unit, microbatch });
            else {
              const values =
                step + microbatch + core.expert > 1 ? zeros : zeros.map((_, i) => (i % 7) - 3 + microbatch);
              device.write(core.openLeaf({ ...unit, microbatch }).d_w, values);
              await core.closeLeaf({ ...unit, microbatch });
            }
          }
          vote.weigh();
        }
        const { squares } = await voter.ask.prepare();
        expect(squares.w1 === 0).toBe(step > 0);
        await vote.apply({ ...decision, step, lr: 0.1, clip: 0.5 });
      }
      return await Promise.all(cores.map(({ share }, i) => share.parameters.save([`w${i}`])));
    };
    expect(await stateOf(`${name}-skipped`, true)).toEqual(await stateOf(`${name}-zeros`, false));
  },
);
