/** A group speaks for its experts, so it has reached a version of the parameters when each of them has. */
import { afterAll, expect, it } from 'vitest';
import { ExpertCore } from '../../../src/actors/mixture/expert_core.ts';
import { ExpertGroup } from '../../../src/actors/mixture/expert_group.ts';
import { compileExperts } from '../../../src/actors/mixture/expert_programs.ts';
import { createShare } from '../../../src/actors/parameters/share_parts.ts';
import { expertAddress, groupAddress } from '../../../src/actors/placement/addresses.ts';
import { RowsPort } from '../../../src/actors/stage/rows_port.ts';
import { DryDevice } from '../../../src/kernels/cpu/dry_device.ts';
import { mixturesOf } from '../../../src/models/model.ts';
import { createLocalSystem, defineProtocol } from '../../../src/runtime/index.ts';
import { drawn, smallTopology } from '../kit.ts';

const device = new DryDevice();
const system = createLocalSystem();
afterAll(() => system.stop());

const groupProtocol = defineProtocol('group', {});

it('an expert that comes twice to a version does not come there for another', async () => {
  const { optimizer } = smallTopology();
  const { model } = await drawn(smallTopology());
  const size = { count: 2, rows: 8, each: 4 };
  const programs = await compileExperts(device, mixturesOf(model)[0].programs.expert, size);
  const cores: ExpertCore[] = [];
  for (const expert of [0, 1]) {
    const address = expertAddress('1', expert);
    const range = { first: 0, count: 1, of: 1 };
    const slice = device.slice(address, 2 ** 20);
    const share = await createShare(device, slice, { address, holdings: [], range, alive: 1, optimizer, seed: 1 });
    cores.push(new ExpertCore({ expert, share, weights: {} }));
  }
  let version = (): number | null => null;
  system.spawn(groupProtocol, groupAddress('1', 0), (scope) => {
    version = () => scope.ownParamsVersion;
    const named = { mixture: '1', group: 0, microbatches: 1 };
    return new ExpertGroup({ ...named, cores, programs, port: new RowsPort(device, () => true), contexts: [] }, scope);
  });
  const [first, second] = cores;
  first.reach(7);
  first.reach(7);
  expect(version()).toBe(0);
  second.reach(7);
  expect(version()).toBe(7);
});
