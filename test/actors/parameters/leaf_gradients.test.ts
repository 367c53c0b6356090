/** The end of a microbatch whose gradients come program by program: what none of them wrote must not be summed. */
import { afterAll, expect, it } from 'vitest';
import { holdingsByAddress } from '../../../src/actors/parameters/holding.ts';
import { createShare } from '../../../src/actors/parameters/share_parts.ts';
import { CpuDevice } from '../../../src/kernels/cpu/device.ts';
import { matrix } from '../../../src/models/parameter.ts';
import { smallTopology } from '../kit.ts';

const device = new CpuDevice({ bytes: 2 ** 20 });
afterAll(() => device.close());

it('a microbatch that ends names the gradients that no program wrote, and its leaves are not folded', async () => {
  const [w, tied] = [matrix('w', 8, 16), matrix('tied', 4, 16)];
  const places = [{ tied }, { w }, { head: tied }].map((weights) => ({ weights, holders: ['it'] }));
  const { leaves } = await createShare(device, device.slice('it', 2 ** 20), {
    address: 'it',
    holdings: holdingsByAddress(places).get('it')!,
    range: { first: 0, count: 1, of: 1 },
    alive: 1,
    optimizer: smallTopology().optimizer,
    seed: 1,
  });
  const whole: string[] = [];
  leaves.handTo((bucket) => Promise.resolve(void whole.push(bucket.plan.name)));

  leaves.open(0);
  await leaves.wrote(0, ['tied@1']);
  await leaves.wrote(0, ['w']);
  expect(() => leaves.end(0)).toThrow('microbatch 0: no program wrote gradients of tied');
  expect(whole).toEqual(['w']);
  await leaves.wrote(0, ['tied']);
  leaves.end(0);
  expect(whole).toEqual(['w', 'tied']);
});
