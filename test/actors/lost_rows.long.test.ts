/**
 * Rows that are lost or doubled between routers and expert groups. What is lost costs the step another try, as a broken
 * link between nodes makes it; what comes twice is refused by name, since credits say what was sent.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recoveryAddress } from '../../src/actors/placement/addresses.ts';
import { Recovery } from '../../src/actors/placement/recovery.ts';
import { recoveryProtocol } from '../../src/actors/protocol/recovery.ts';
import { CheckpointStore } from '../../src/checkpoints/index.ts';
import { MemoryDecisionStore } from '../../src/actors/training/decision_store.ts';
import type { Run } from '../../src/run/run.ts';
import type { DeliveryFilter, Envelope, Fault } from '../../src/runtime/index.ts';
import { FaultPlan, type FaultRule } from '../../src/runtime/testing/index.ts';
import { play, smallTopology, wide, type Played } from './kit.ts';
import { StagedTime } from './staged_time.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-lost-'));
let count = 0;
const directory = (): string => join(root, String(count++));
afterAll(() => rmSync(root, { recursive: true, force: true }));

type Settings = Readonly<Record<string, unknown>>;

const topologyOf = (settings: Settings = {}) => smallTopology({ ...wide, 'checkpoint.interval': 1, ...settings });
const outcomeOf = ({ curve, digest, evalLoss }: Played) => ({ curve, digest, evalLoss });

let undisturbed: Played;
beforeAll(async () => {
  undisturbed = await play(topologyOf(), { directory: directory() });
});

/** Loses a message as its rule says, and says so. */
class Losing implements DeliveryFilter {
  readonly plan: FaultPlan;
  private readonly time: StagedTime;
  onLost = (): void => undefined;

  constructor(time: StagedTime, rule: Omit<FaultRule, 'fault'>) {
    this.time = time;
    this.plan = new FaultPlan(1, [{ fault: { kind: 'drop' }, ...rule }]);
  }

  judge(envelope: Envelope): Fault | null {
    const fault = this.plan.judge(envelope);
    if (fault !== null) this.onLost();
    return fault ?? this.time.judge(envelope);
  }
}

const messages = [
  ['dispatch', 'run/experts-l1-g0'],
  ['outputs', 'run/router-l1-d1'],
  ['outputsGradient', 'run/experts-l3-g1'],
  ['rowsGradient', 'run/router-l3-d0'],
] as const;

type Noticed = (time: StagedTime) => Promise<void>;

/** A run that loses a message, of which its link hears as `noticed` says; dispatches wait for one another meanwhile. */
async function playLosing(settings: Settings, rule: Omit<FaultRule, 'fault'>, noticed: Noticed): Promise<Played> {
  const time = new StagedTime((to) => (to.startsWith('run/experts-') ? 1 : 0));
  const decisions = new MemoryDecisionStore();
  const losing = new Losing(time, rule);
  const tamper = ({ system }: Run): Promise<void> => {
    const raise = (gen: number): Promise<number> => Promise.resolve(gen + 1);
    const enter = (gen: number): void => system.enter(gen);
    const systems = [system.name];
    const parts = { systems: () => systems, raise, enter, decisions };
    system.spawn(recoveryProtocol, recoveryAddress, (scope) => new Recovery(parts, scope));
    losing.onLost = () => {
      const broken = { gen: system.gen, what: 'a loss' };
      void noticed(time).then(() => system.ref(recoveryProtocol, recoveryAddress).tell.broken(broken));
    };
    return Promise.resolve();
  };
  const system = { clock: time.clock, filter: losing };
  const topology = topologyOf({ ...settings, 'moe.credit_bytes': 1 });
  const played = await time.drive(play(topology, { directory: directory(), decisions, system, tamper }));
  expect(losing.plan.events).toHaveLength(1);
  return played;
}

describe.each<[string, Noticed]>([
  ['at once', () => Promise.resolve()],
  ['when nothing more comes', (time) => time.quiet()],
])('rows whose loss is noticed %s', (_when, noticed) => {
  it.each(messages)('cost a step another try and no bit: %s', async (message, to) => {
    const played = await playLosing({}, { to, message, skip: 5 }, noticed);
    expect(played.incidents).toEqual([{ step: 2, remedy: 'running the step again in gen 2', evidence: 'a loss' }]);
    expect(outcomeOf(played)).toEqual(outcomeOf(undisturbed));
    expect(played.leasedFrames).toBe(0);
  });
});

describe('the load of a step that one router tells another', () => {
  const settings = { 'moe.aux_loss': 'global' };
  const load = { to: 'run/router-l1-d1', from: 'run/router-l1-d0', message: 'load', skip: 1 };
  let alone: Played;
  beforeAll(async () => {
    alone = await play(topologyOf(settings), { directory: directory() });
  });

  it('costs a step another try and no bit where it is lost', async () => {
    const played = await playLosing(settings, load, (time) => time.quiet());
    expect(played.incidents).toEqual([{ step: 2, remedy: 'running the step again in gen 2', evidence: 'a loss' }]);
    expect(outcomeOf(played)).toEqual(outcomeOf(alone));
  });

  it('counts once where it comes twice', async () => {
    const filter = new FaultPlan(1, [{ fault: { kind: 'duplicate' }, ...load, times: 3 }]);
    const played = await play(topologyOf(settings), { directory: directory(), system: { filter } });
    expect(filter.events).toHaveLength(3);
    expect(outcomeOf(played)).toEqual(outcomeOf(alone));
  });
});

describe('rows that come twice', () => {
  it.each([
    ['dispatch', 'run/experts-l1-g0', /run\/experts-l1-g0: rows of train\/training\/1\/\d came twice/],
    ['outputs', 'run/router-l1-d1', /run\/router-l1-d1: rows of train\/training\/1\/\d from group \d, which owes none/],
    [
      'outputsGradient',
      'run/experts-l3-g1',
      /run\/experts-l3-g1: a gradient of train\/training\/1\/\d, of which it holds no rows/,
    ],
    ['rowsGradient', 'run/router-l3-d0', /run\/router-l3-d0: train\/training\/1\/\d was not routed here/],
  ])('are refused by whoever gets them, and the run can be continued: %s', async (message, to, reason) => {
    const filter = new FaultPlan(1, [{ fault: { kind: 'duplicate' }, to, message, skip: 5 }]);
    const system = { filter, logSink: () => undefined };
    const [where, decisions] = [directory(), new MemoryDecisionStore()];
    await expect(play(topologyOf(), { directory: where, decisions, system })).rejects.toMatchObject({
      tag: 'RunFailed',
      exitCode: 1,
      message: expect.stringMatching(reason) as unknown,
    });
    const { checkpoint } = await new CheckpointStore(where).openNewestValid();
    const resumed = await play(topologyOf(), { directory: where, from: checkpoint, decisions });
    expect(outcomeOf(resumed)).toEqual({ ...outcomeOf(undisturbed), curve: undisturbed.curve.slice(1) });
  });
});
