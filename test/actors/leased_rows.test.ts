/**
 * Runs whose rows stay on the device between actors of one worker: the bits of a run whose rows travel by value, whatever
 * the mesh and the order of messages, and nobody reads them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type * as opening from '../../src/run/open_device.ts';
import { planRun } from '../../src/run/plan.ts';
import type * as rowsPort from '../../src/actors/stage/rows_port.ts';
import { FaultPlan } from '../../src/runtime/testing/index.ts';
import { RemoteDevice } from '../kernels/remote_device.ts';
import { drawn, play, smallTopology, type Played } from './kit.ts';

let isByValue = false;
vi.mock('../../src/actors/stage/rows_port.ts', async (load) => {
  const actual = await load<typeof rowsPort>();
  return {
    ...actual,
    RowsPort: class extends actual.RowsPort {
      constructor(...[device, isHere]: ConstructorParameters<typeof actual.RowsPort>) {
        super(device, isByValue ? () => false : isHere);
      }
    },
  };
});
vi.mock('../../src/run/open_device.ts', async (load) => ({
  ...(await load<typeof opening>()),
  openDevice: (_choice: string, { bytes }: opening.OpenDeviceOptions): Promise<opening.OpenDevice> =>
    Promise.resolve({ device: new RemoteDevice({ bytes }), adapter: null, reason: 'the test says so' }),
}));

const root = mkdtempSync(join(tmpdir(), 'troupe-leases-'));
let count = 0;
afterAll(() => rmSync(root, { recursive: true, force: true }));

const read = vi.spyOn(RemoteDevice.prototype, 'read');

type Options = Omit<Parameters<typeof play>[1], 'directory'>;

async function run(
  parallelism: Readonly<Record<string, number>>,
  options: Options = {},
): Promise<Played & { reads: number }> {
  const settings = Object.fromEntries(Object.entries(parallelism).map(([key, value]) => [`parallelism.${key}`, value]));
  read.mockClear();
  const played = await play(smallTopology(settings), { directory: join(root, String(count++)), ...options });
  // Only rows are read from a place on.
  return { ...played, reads: read.mock.calls.filter(([, , at]) => at !== undefined).length };
}

const outcomeOf = ({ curve, digest, evalLoss }: Played) => ({ curve, digest, evalLoss });

const fourMicrobatches = { micro_batches: 4 };
let byValue: Awaited<ReturnType<typeof run>>;
beforeAll(async () => {
  isByValue = true;
  byValue = await run(fourMicrobatches);
  isByValue = false;
});

it('gives the bits of rows by value, and nobody reads them', async () => {
  const leased = await run(fourMicrobatches);
  expect(outcomeOf(leased)).toEqual(outcomeOf(byValue));
  expect(byValue.reads).toBeGreaterThan(100);
  expect(leased.reads).toBe(0);
});

it('gives them in a pipeline', async () => {
  const leased = await run({ ...fourMicrobatches, pipeline_parallel: 2 });
  expect(outcomeOf(leased)).toEqual(outcomeOf(byValue));
});

it('gives them with experts in two groups and messages shuffled', async () => {
  const often = { times: Infinity, probability: 0.25 };
  const filter = new FaultPlan(1, [
    { fault: { kind: 'reorder', ms: 1 }, ...often },
    { fault: { kind: 'delay', ms: 2 }, ...often },
  ]);
  const leased = await run({ ...fourMicrobatches, expert_parallel: 2 }, { system: { filter } });
  expect(outcomeOf(leased)).toEqual(outcomeOf(byValue));
  expect(filter.events.length).toBeGreaterThan(100);
});

it('takes no more memory than the plan says', async () => {
  const settings = { 'parallelism.micro_batches': 4, 'parallelism.pipeline_parallel': 2, 'cluster.device': 'webgpu' };
  const planned = await planRun(await drawn(smallTopology(settings)));
  const [{ totalBytes, fits }] = planned.workers;
  expect(fits).toBe(true);
  const memory = { 'cluster.memory_per_worker': `${Math.ceil(totalBytes / 1024)}KiB` };
  const topology = smallTopology({ ...settings, ...memory });
  const played = await play(topology, { directory: join(root, String(count++)) });
  expect(outcomeOf(played)).toEqual(outcomeOf(byValue));
});
