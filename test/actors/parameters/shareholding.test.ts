/** A shareholding of a model that does not learn: it votes nothing, counts every step, and is saved like any other. */
import { afterAll, expect, it } from 'vitest';
import { holdingsOf } from '../../../src/actors/parameters/holding.ts';
import { createShare } from '../../../src/actors/parameters/share_parts.ts';
import { Shareholding } from '../../../src/actors/parameters/shareholding.ts';
import { emptyVote, voteSchema } from '../../../src/actors/protocol/parameters.ts';
import { CpuDevice } from '../../../src/kernels/cpu/device.ts';
import { matrix, scale } from '../../../src/models/parameter.ts';
import { ask, createLocalSystem, defineProtocol } from '../../../src/runtime/index.ts';
import { smallTopology } from '../kit.ts';
import { partsOf } from '../state_parts.ts';

const device = new CpuDevice({ bytes: 2 ** 20 });
const system = createLocalSystem();
afterAll(async () => {
  await system.stop();
  await device.close();
});

const voterProtocol = defineProtocol('voter', { prepare: ask({ reply: voteSchema }) });

it('of a frozen model votes nothing, advances with each decision, and is saved', async () => {
  const holdings = holdingsOf({ w: matrix('w', 8, 16), norm: scale('norm', 16) }, ['run/frozen']);
  const parts = await createShare(device, device.slice('frozen', 2 ** 20), {
    address: 'run/frozen',
    holdings: holdings.map((holding) => ({ ...holding, learns: false })),
    range: { first: 0, count: 2, of: 2 },
    alive: 2,
    optimizer: smallTopology().optimizer,
    seed: 1,
  });
  const versions: (number | null)[] = [];
  const ref = system.ref.bind(system);
  const share = new Shareholding(parts, {
    address: 'run/frozen',
    ref,
    setParamsVersion: (version) => void versions.push(version),
  });
  share.serve({
    progress: () => ({ isDone: true, hasGradient: true }),
    report: () => emptyVote,
    forget: () => undefined,
  });
  const voter = system.spawn(voterProtocol, 'run/frozen', () => ({ prepare: (_, ctx) => share.prepare({}, ctx) }));

  const { views } = share.leaves.open(0);
  expect(views).toEqual({});
  await share.leaves.close(0);
  expect(await voter.ask.prepare()).toEqual(emptyVote);
  const before = await share.digest();
  expect(Object.keys(before)).toEqual(['w', 'norm']);
  await share.apply({ gen: 1, step: 0, verdict: 'commit', updateStep: 1, lr: 0.1, clip: 1 });
  expect(versions).toEqual([0, 1]);
  expect(await share.digest()).toEqual(before);

  const { tensors } = await share.save({ parameters: ['w', 'norm'] });
  expect(Object.keys(tensors)).toEqual(['w', 'norm']);
  share.restore({ parts: partsOf(tensors), dataStep: 7 });
  expect(versions).toEqual([0, 1, 7]);
});
