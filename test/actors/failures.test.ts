/** What becomes of a run when something fails: who is named, what is kept, and that the curve goes on where it was. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { agentAddress } from '../../src/actors/placement/addresses.ts';
import { rolesSpec } from '../../src/run/cluster.ts';
import { MemoryDecisionStore } from '../../src/actors/training/decision_store.ts';
import { openRoles } from '../../src/run/open_roles.ts';
import { stateProtocol, stepProtocol } from '../../src/actors/protocol/parameters.ts';
import { Run } from '../../src/run/run.ts';
import { CheckpointStore } from '../../src/checkpoints/index.ts';
import { OutOfSliceMemory } from '../../src/kernels/errors.ts';
import { ask, createLocalSystem, defineProtocol } from '../../src/runtime/index.ts';
import { FaultPlan } from '../../src/runtime/testing/index.ts';
import type { Topology } from '../../src/topology/index.ts';
import { hashedBatches, play, smallTopology, type Played, drawn } from './kit.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-failures-'));
let count = 0;
const directory = (): string => join(root, String(count++));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const settings = { 'parallelism.micro_batches': 4, 'checkpoint.interval': 2 };
/** Keeps the log of actors that are meant to fail off the screen. */
const logSink = (): void => undefined;

let undisturbed: Played;
beforeAll(async () => {
  undisturbed = await play(smallTopology(settings), { directory: directory() });
});

describe('an actor that ends in the third step', () => {
  it.each([
    ['run/experts-l1-g0', 'prepare', 2],
    ['run/experts-l3-g0', 'apply', 2],
    ['run/experts-l1-g0', 'dispatch', 13],
    ['run/router-l3-d0', 'rowsGradient', 9],
    ['run/stage-p0-d0', 'stream', 27],
  ])(
    'fails the run by name, which goes on from its checkpoint as if nothing had been: %s',
    async (to, message, skip) => {
      const [where, decisions] = [directory(), new MemoryDecisionStore()];
      const filter = new FaultPlan(1, [{ fault: { kind: 'kill' }, to, message, skip }]);
      await expect(
        play(smallTopology(settings), { directory: where, decisions, system: { filter, logSink } }),
      ).rejects.toMatchObject({
        tag: 'RunFailed',
        exitCode: 1,
        message: expect.stringMatching(new RegExp(`${to} ended: killed.*--resume$`)) as unknown,
      });
      expect(filter.events).toEqual([expect.objectContaining({ to, message })]);

      const { checkpoint } = await new CheckpointStore(where).openNewestValid();
      expect(checkpoint.name).toEqual({ step: 2, gen: 1 });
      const resumed = await play(smallTopology(settings), { directory: where, from: checkpoint, decisions });
      expect(resumed.curve).toEqual(undisturbed.curve.slice(2));
      expect(resumed.digest).toBe(undisturbed.digest);
      expect(resumed.evalLoss).toBe(undisturbed.evalLoss);
    },
  );
});

const addressed = z.object({ address: z.string() });
const bareAgentProtocol = defineProtocol('bare_agent', {
  apply: ask({ args: addressed }),
  digest: ask({ args: addressed, reply: z.record(z.string(), z.string()) }),
});

describe('a decision', () => {
  it('that comes twice is applied once', async () => {
    const filter = new FaultPlan(1, [{ fault: { kind: 'duplicate' }, message: 'apply', times: Infinity }]);
    const played = await play(smallTopology(settings), { directory: directory(), system: { filter } });
    expect(filter.events.length).toBeGreaterThan(4 * 10);
    expect(played.curve).toEqual(undisturbed.curve);
    expect(played.digest).toBe(undisturbed.digest);
  });

  it('about another step than the one in hand changes nothing', async () => {
    const other = { gen: 1, step: 7, verdict: 'commit', updateStep: 8, lr: 1, clip: 1 } as const;
    const topology = smallTopology(settings);
    const runSpec = await drawn(topology);
    const batches = hashedBatches(topology);
    const hosted = { choice: 'cpu', runSpec, batches, hosts: () => true, onLost: () => undefined };
    const { device, specs } = await openRoles(hosted);
    const system = createLocalSystem();
    system.enter(1);
    system.start(rolesSpec('w0', specs));
    // Whom the roles take this from.
    const agent = system.spawn(bareAgentProtocol, agentAddress('node-0'), (scope) => ({
      digest: ({ address }) => scope.ref(stateProtocol, address).ask.digest(),
      apply: ({ address }) => scope.ref(stepProtocol, address).ask.apply(other),
    }));
    for (const [address, speaker = address] of [
      ['run/stage-p0-d0'],
      ['run/router-l1-d0'],
      ['run/expert-l3-e2', 'run/experts-l3-g0'],
    ]) {
      const before = await agent.ask.digest({ address });
      await agent.ask.apply({ address: speaker });
      expect(await agent.ask.digest({ address })).toEqual(before);
      expect(Object.keys(before).length).toBeGreaterThan(0);
    }
    await system.stop();
    await device.close();
  });
});

describe('a handler that throws', () => {
  it('fails the run with its actor’s address and what it said', async () => {
    const filter = new FaultPlan(1, [{ fault: { kind: 'duplicate' }, to: 'run/router-l1-d0', message: 'outputs' }]);
    await expect(
      play(smallTopology(settings), { directory: directory(), system: { filter, logSink } }),
    ).rejects.toMatchObject({
      tag: 'RunFailed',
      message: expect.stringMatching(
        /run\/router-l1-d0.*rows of train\/training\/0\/\d from group 0, which owes none.*--resume$/,
      ) as unknown,
    });
  });
});

describe('the memory of a worker', () => {
  const page = 64 * 1024;
  const sized = (pages: number): Topology =>
    smallTopology({ ...settings, 'cluster.memory_per_worker': `${pages * 64}KiB` });

  /** The refusal, or null where the roles start. */
  async function refusal(pages: number): Promise<OutOfSliceMemory | null> {
    const topology = sized(pages);
    try {
      const run = await Run.start({ runSpec: await drawn(topology), batches: hashedBatches(topology), gen: 1 });
      await run.stop();
      return null;
    } catch (error) {
      if (error instanceof OutOfSliceMemory) return error;
      throw error;
    }
  }

  /** Fewest pages with which the roles start; with as many as `enough` it does. */
  async function fewest(enough: number): Promise<number> {
    let tooFew = 0;
    while (enough - tooFew > 1) {
      const middle = Math.floor((tooFew + enough) / 2);
      if ((await refusal(middle)) === null) enough = middle;
      else tooFew = middle;
    }
    return enough;
  }

  it('that does not suffice is refused at the start, with owner, what was asked, used, and the budget', async () => {
    const pages = await fewest(64);
    for (const [given, owner] of [
      [4, /^stage-p0-d0$/],
      [pages - 1, /^run\/expert-l3-e3$/],
    ] as const) {
      const error = (await refusal(given))!;
      expect(error.owner).toMatch(owner);
      expect(error.budgetBytes).toBe(given * page);
      expect(error.usedBytes).toBeLessThanOrEqual(error.budgetBytes);
      expect(error.usedBytes + error.askedBytes).toBeGreaterThan(error.budgetBytes);
      const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(2)} MiB`;
      expect(error.message).toMatch(
        new RegExp(
          `^${error.owner}: no room for .+: asked ${mib(error.askedBytes)}, used ${mib(error.usedBytes)} of a budget of ` +
            `${mib(error.budgetBytes)}; raise cluster\\.memory_per_worker or make the model or the microbatch smaller$`,
        ),
      );
    }
  });

  it('that suffices to start suffices to train, to the same bits', async () => {
    const played = await play(sized(await fewest(64)), { directory: directory() });
    expect(played.curve).toEqual(undisturbed.curve);
    expect(played.digest).toBe(undisturbed.digest);
  });
});
