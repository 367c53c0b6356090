/** What systems count: a step has its own share, and a frame that is held when all is quiet ends the run. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { agentAddress, trainerAddress } from '../../../src/actors/placement/addresses.ts';
import { agentProtocol } from '../../../src/actors/protocol/agent.ts';
import { SystemCounts } from '../../../src/actors/training/system_counts.ts';
import { ask, createLocalSystem, defineProtocol, type ActorSystem } from '../../../src/runtime/index.ts';

const counterProtocol = defineProtocol('counting_trainer', { all: ask() });

let system: ActorSystem;
/** What the agents of the two systems say. */
const said = { bytes: 0, leased: 0, cpuMs: 0 };
beforeEach(() => {
  system = createLocalSystem({ name: 'node-0' });
  Object.assign(said, { bytes: 100, leased: 0, cpuMs: 10 });
  for (const name of ['node-0', 'node-0.worker-0']) {
    system.spawn(agentProtocol, agentAddress(name), () => ({
      vote: () => expect.fail('nobody votes here'),
      finish: () => expect.fail('no pass is made here'),
      apply: () => expect.fail('nobody applies here'),
      save: () => ({ tensors: {} }),
      restore: () => undefined,
      digest: () => [],
      report: () => ({ bytesSent: { local: said.bytes }, leased: said.leased, cpuMs: said.cpuMs }),
      enter: () => [],
      settle: () => undefined,
      tuning: () => null,
    }));
  }
});
afterEach(() => system.stop());

/** Lets the trainer count. */
async function counting(work: (counts: SystemCounts) => Promise<void>): Promise<void> {
  const trainer = system.spawn(counterProtocol, trainerAddress, (scope) => ({
    all: () => work(new SystemCounts(scope, ['node-0', 'node-0.worker-0'])),
  }));
  await trainer.ask.all();
}

it('a step has what was counted since the one before, and nothing of what came between', async () => {
  await counting(async (counts) => {
    await counts.begin(0);
    Object.assign(said, { bytes: 107, cpuMs: 11 });
    const cpuMs = { 'node-0': 1, 'node-0.worker-0': 1 };
    expect(await counts.ofStep(null)).toEqual({ bytesSent: { local: 14 }, cpuMs });
    said.bytes = 110;
    // As the systems have said themselves.
    const reports = [
      { bytesSent: { local: 109 }, leased: 0, cpuMs: 12 },
      { bytesSent: { local: 108 }, leased: 0, cpuMs: 11 },
    ];
    expect(await counts.ofStep(reports)).toEqual({
      bytesSent: { local: 3 },
      cpuMs: { 'node-0': 1, 'node-0.worker-0': 0 },
    });
    counts.leaveOff();
    said.bytes = 500;
    await counts.begin(2);
    said.bytes = 501;
    await counts.begin(2);
    expect(await counts.ofStep(null)).toMatchObject({ bytesSent: { local: 2 } });
  });
});

it('frames may be under way between two steps, but not where nothing is', async () => {
  await counting(async (counts) => {
    await counts.begin(0);
    said.leased = 3;
    await counts.ofStep(null);
    await expect(counts.quiet(1)).rejects.toMatchObject({
      tag: 'FramesHeld',
      message: 'node-0: 3 frames are still held after step 1; report it',
    });
  });
});
