/** A group speaks for its experts, so it has reached a version of the parameters when each of them has. */
import { afterAll, expect, it } from 'vitest';
import { z } from 'zod';
import { ExpertCore } from '../../../src/actors/mixture/expert_core.ts';
import { ExpertGroup } from '../../../src/actors/mixture/expert_group.ts';
import { compileExperts } from '../../../src/actors/mixture/expert_programs.ts';
import { createShare } from '../../../src/actors/parameters/share_parts.ts';
import { expertAddress, groupAddress } from '../../../src/actors/placement/addresses.ts';
import { RowsPort } from '../../../src/actors/stage/rows_port.ts';
import { DryDevice } from '../../../src/kernels/cpu/dry_device.ts';
import { mixturesOf } from '../../../src/models/model.ts';
import { ask, createLocalSystem, defineProtocol, type ActorScope } from '../../../src/runtime/index.ts';
import { drawn, smallTopology } from '../kit.ts';

const device = new DryDevice();
const system = createLocalSystem();
afterAll(() => system.stop());

const groupProtocol = defineProtocol('group', {
  advanced: ask({ args: z.object({ version: z.int() }), reply: z.int().nullable() }),
});
const speakerProtocol = defineProtocol('speaker', {
  reached: ask({ args: z.object({ version: z.int() }), reply: z.int().nullable() }),
});

it('an expert that says twice that it has reached a version does not speak for another', async () => {
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
    cores.push(new ExpertCore({ expert, share, weights: {} }, 1));
  }
  const group = system.spawn(groupProtocol, groupAddress('1', 0), (scope) => {
    const parts = { group: 0, cores, programs, port: new RowsPort(device, () => true), contexts: [] };
    const made = new ExpertGroup(parts, scope);
    return {
      advanced: (args, ctx) => {
        made.advanced(args, ctx);
        return scope.ownParamsVersion;
      },
    };
  });
  const [first, second] = [0, 1].map((expert) =>
    system.spawn(speakerProtocol, expertAddress('1', expert), (scope: ActorScope) => ({
      reached: (args) => scope.ref(groupProtocol, group.address).ask.advanced(args),
    })),
  );
  expect(await first.ask.reached({ version: 7 })).toBe(0);
  expect(await first.ask.reached({ version: 7 })).toBe(0);
  expect(await second.ask.reached({ version: 7 })).toBe(7);
});
