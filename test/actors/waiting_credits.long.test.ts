/**
 * Whole runs in which credits are short: one expert that everybody wants, dispatches one at a time, a group that is slow. Nothing
 * locks, no bit changes, no memory is taken while it trains, and who lets others wait is named.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { payload } from '../../src/actors/protocol/pass.ts';
import { CpuDevice } from '../../src/kernels/cpu/device.ts';
import type { Run } from '../../src/run/run.ts';
import { planRun } from '../../src/run/plan.ts';
import type { StepMetrics } from '../../src/telemetry/index.ts';
import { drawn, play, smallTopology, type PlayOptions, type Played } from './kit.ts';
import { rewrite } from './rewrite.ts';
import { StagedTime } from './staged_time.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-waiting-'));
let count = 0;
afterAll(() => rmSync(root, { recursive: true, force: true }));

type Settings = Readonly<Record<string, unknown>>;

const played = (settings: Settings, options: Omit<PlayOptions, 'directory'> = {}): Promise<Played> =>
  play(smallTopology(settings), { directory: join(root, String(count++)), ...options });

const outcomeOf = ({ curve, digest, evalLoss }: Played) => ({ curve, digest, evalLoss });

const mesh = (parallelism: Readonly<Record<string, number>>): Settings =>
  Object.fromEntries(Object.entries(parallelism).map(([key, value]) => [`parallelism.${key}`, value]));

/** What the device of a run has in use, as often as it is looked at. */
class MemoryWatch {
  readonly used: number[] = [];
  private readonly slices = vi.spyOn(CpuDevice.prototype, 'slice');

  look(): void {
    const [device] = this.slices.mock.contexts;
    if (device instanceof CpuDevice) this.used.push(device.usedBytes);
  }

  end(): void {
    this.slices.mockRestore();
  }
}

const meshes = [
  { expert_parallel: 2, micro_batches: 4 },
  { expert_parallel: 4, data_parallel: 2, micro_batches: 2 },
  { expert_parallel: 2, data_parallel: 2, pipeline_parallel: 2, micro_batches: 2 },
];

describe('an expert that every token chooses, without capacity', () => {
  const dropless = {
    'moe.overflow': 'dropless',
    'moe.top_k': 2,
    'moe.load_balance_coeff': 0.001,
    'training.steps': 3,
  };

  /** Biases that no score outdoes: first choices go to expert 1, second ones to expert 2. */
  const heat = async (run: Run): Promise<void> => {
    const routers = run.holders.flatMap(({ holders }) => holders.map(({ address }) => address)).filter(isRouter);
    for (const address of routers) {
      const layer = /-l(\d+)-/.exec(address)![1];
      await rewrite(run, address, `model.layers.${layer}.mlp.router.expert_bias`, ({ shape }) =>
        payload(Float32Array.of(-30, 20, 10, 0), shape),
      );
    }
  };
  const isRouter = (address: string): boolean => address.startsWith('run/router-');

  let alone: Played;
  beforeAll(async () => {
    alone = await played({ ...dropless, ...mesh({ micro_batches: 4 }) }, { tamper: heat });
  });

  it('gets them all, and none is dropped', () => {
    for (const { routed, processed, expert_load } of alone.curve) {
      expect(routed).toBe(2 * 2 * 8 * 16);
      expect(processed).toBe(routed);
      expect(Object.values(expert_load)).toEqual([
        [0, 128, 128, 0],
        [0, 128, 128, 0],
      ]);
    }
  });

  it.each(meshes)('is the same bits with %j', async (parallelism) => {
    const other = await played({ ...dropless, ...mesh(parallelism) }, { tamper: heat });
    expect(outcomeOf(other)).toEqual(outcomeOf(alone));
  });

  it('takes the memory that the plan says, before the first step, and no more', async () => {
    const settings = { ...dropless, ...mesh(meshes[0]) };
    const planned = await planRun(await drawn(smallTopology(settings)));
    const [{ totalBytes }] = planned.workers;
    const memory = new MemoryWatch();
    const { used } = memory;
    const budget = { 'cluster.memory_per_worker': `${Math.ceil(totalBytes / 1024)}KiB` };
    const tamper = async (run: Run): Promise<void> => {
      await heat(run);
      memory.look();
    };
    const other = await played({ ...settings, ...budget }, { tamper, onStep: () => memory.look() });
    memory.end();
    expect(outcomeOf(other)).toEqual(outcomeOf(alone));
    expect(other.leasedFrames).toBe(0);
    expect(used).toHaveLength(4);
    expect(new Set(used).size).toBe(1);
    expect(used[0]).toBeLessThanOrEqual(totalBytes);
  });
});

describe.each([
  ['larger', 0.5, 4],
  ['smaller', 2, 0.5],
])('an evaluation with a %s capacity factor than training', (_than, factor, evalFactor) => {
  const settings = { 'moe.capacity_factor': factor, 'moe.eval_capacity_factor': evalFactor, 'moe.min_capacity': 1 };
  let alone: Played;
  beforeAll(async () => {
    alone = await played({ ...settings, ...mesh({ micro_batches: 4 }) });
  });

  it('is another one, and changes nothing of training', async () => {
    const usual = await played({ ...settings, 'moe.eval_capacity_factor': factor, ...mesh({ micro_batches: 4 }) });
    const trained = ({ curve }: Played) => curve.map(({ eval_loss: _1, evaluations: _2, ...line }) => line);
    expect(trained(alone)).toEqual(trained(usual));
    expect(alone.digest).toBe(usual.digest);
    expect(alone.evalLoss).not.toBe(usual.evalLoss);
  });

  it.each(meshes)('is the same bits with %j', async (parallelism) => {
    for (const credits of [{}, { 'moe.credit_bytes': 1 }])
      expect(outcomeOf(await played({ ...settings, ...credits, ...mesh(parallelism) }))).toEqual(outcomeOf(alone));
  });
});

/** What a run in staged time came to, and what it showed meanwhile. */
interface Staged extends Played {
  readonly steps: readonly StepMetrics[];
}

async function staged(time: StagedTime, settings: Settings, look = (): void => undefined): Promise<Staged> {
  const steps: StepMetrics[] = [];
  const onStep = (step: StepMetrics): void => {
    steps.push(step);
    look();
  };
  const run = played(settings, { system: { clock: time.clock, filter: time }, onStep });
  return { ...(await time.drive(run)), steps };
}

const groupsOf = (to: string): boolean => to.startsWith('run/experts-');

describe('a pipeline of 4 stages, each with a mixture, that lets one dispatch go to a group at a time', () => {
  const settings = { 'moe.every_n_layers': 1, 'moe.credit_bytes': 1 };
  let alone: Played;
  let run: Staged;
  beforeAll(async () => {
    alone = await played({ 'moe.every_n_layers': 1, ...mesh({ micro_batches: 8 }) });
    const parallelism = { pipeline_parallel: 4, expert_parallel: 2, micro_batches: 8 };
    run = await staged(new StagedTime((to) => (groupsOf(to) ? 10 : 0)), { ...settings, ...mesh(parallelism) });
  });

  it('warms up, does not lock, and is the same bits', () => {
    expect(outcomeOf(run)).toEqual(outcomeOf(alone));
  });

  it('says of each group that microbatches of its stage waited for one another', () => {
    const groups = [0, 1, 2, 3].flatMap((layer) => [0, 1].map((group) => `experts-l${layer}-g${group}`));
    for (const { credit_wait_ms } of run.steps) expect(Object.keys(credit_wait_ms)).toEqual(groups);
  });
});

describe('an actor that is slow', () => {
  const settings = mesh({ expert_parallel: 4, pipeline_parallel: 2, micro_batches: 8 });
  const [window, groups] = [3, 4];

  it.each([
    // A microbatch under way has one message for a group, one from each group for the router, and one for each hand-over.
    ['run/experts-l1-g1', window],
    ['run/router-l1-d0', window * groups],
    ['run/stage-p0-d0', 2 * window],
  ])('has no more to do at once than its mailbox has room for: %s', async (slow, most) => {
    const time = new StagedTime((to) => (to === slow ? 10 : 0));
    const run = await staged(time, settings);
    expect(run.curve).toHaveLength(4);
    expect(time.most.get(slow)).toBeGreaterThan(1);
    expect(time.most.get(slow)).toBeLessThanOrEqual(most);
  });
});

describe('a group of experts that is 50 times as slow as the others', () => {
  const slowMs = 50;
  const [role, other] = ['experts-l1-g1', 'experts-l1-g0'];
  const slow = `run/${role}`;
  const [replicas, microbatches, window] = [2, 2, 2];
  const settings = mesh({
    data_parallel: replicas,
    expert_parallel: 2,
    pipeline_parallel: 2,
    micro_batches: microbatches,
  });
  const timed = () => new StagedTime((to) => (to === slow ? slowMs : groupsOf(to) ? slowMs / 50 : 0));
  let alone: Played;
  beforeAll(async () => {
    alone = await played(mesh({ micro_batches: 4 }));
  });

  it.each([
    ['one dispatch of each router', 1, replicas],
    ['all', 2 ** 20, replicas * window],
  ])('sets the pace, with credits for %s', async (_what, bytes, most) => {
    const memory = new MemoryWatch();
    const time = timed();
    const run = await staged(time, { ...settings, 'moe.credit_bytes': bytes }, () => memory.look());
    memory.end();
    expect(outcomeOf(run)).toEqual(outcomeOf(alone));
    for (const { step_ms, credit_wait_ms } of run.steps) {
      // Rows and gradients of each microbatch, and nothing between: it never waits for anybody.
      expect(step_ms).toBe(2 * replicas * microbatches * slowMs);
      if (bytes > 1) expect(credit_wait_ms).toEqual({});
      else expect(credit_wait_ms[role]).toBeGreaterThan(10 * credit_wait_ms[other]);
    }
    expect(time.most.get(slow)).toBe(most);
    expect(memory.used).toHaveLength(4);
    expect(new Set(memory.used).size).toBe(1);
    expect(run.leasedFrames).toBe(0);
  });
});
