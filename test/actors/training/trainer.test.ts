/** The trainer's loop: what it sends in which order, and that no role begins a step before it has applied the one before. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { eventLogAddress, trainerAddress } from '../../../src/actors/placement/addresses.ts';
import { eventLogProtocol } from '../../../src/actors/protocol/event_log.ts';
import { trainerProtocol } from '../../../src/actors/protocol/trainer.ts';
import { MemoryDecisionStore } from '../../../src/actors/training/decision_store.ts';
import { EventLog } from '../../../src/actors/training/event_log.ts';
import { LogIo } from '../../../src/telemetry/index.ts';
import type { BatchPort } from '../../../src/actors/stage/batch_port.ts';
import { Run } from '../../../src/run/run.ts';
import type { DeliveryFilter } from '../../../src/runtime/system/delivery_filter.ts';
import { FaultPlan } from '../../../src/runtime/testing/index.ts';
import { drawn, hashedBatches, play, smallTopology, type Played } from '../kit.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-trainer-'));
let count = 0;
const directory = (): string => join(root, String(count++));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const openSchema = z.object({ pass: z.object({ kind: z.string(), step: z.int() }) });
const writtenSchema = z.object({ step: z.int() });

/** What stages are opened for, and what is written down, in the order of delivery. */
async function orderOf(settings: Readonly<Record<string, unknown>>): Promise<string[]> {
  const order: string[] = [];
  const filter: DeliveryFilter = {
    judge: ({ route: { kind, to, message }, args }) => {
      const isOpen = message === 'open' && to.startsWith('run/stage-');
      const isWritten = message === 'write' || (message === 'step' && to === 'run/event_log');
      if ((kind === 'tell' || kind === 'ask') && (isOpen || isWritten)) {
        const { kind: what, step } = isOpen
          ? openSchema.parse(args).pass
          : { kind: message, ...writtenSchema.parse(args) };
        order.push(`${what} ${step}`);
      }
      return null;
    },
  };
  await play(smallTopology(settings), { directory: directory(), system: { filter } });
  return order;
}

describe('a step', () => {
  it('is opened right behind the decision about the one before, which is written down meanwhile', async () => {
    expect(await orderOf({ 'training.eval_interval': 0 })).toEqual([
      'write 0',
      'train 0',
      ...['train 1', 'step 1'],
      ...['train 2', 'step 2'],
      ...['train 3', 'step 3'],
      ...['step 4', 'write 4'],
    ]);
  });

  it('is not opened before an evaluation and a checkpoint of those before it', async () => {
    expect(await orderOf({ 'training.eval_interval': 2, 'checkpoint.interval': 3 })).toEqual([
      'write 0',
      'train 0',
      ...['train 1', 'step 1'],
      ...['score 2', 'step 2'],
      'train 2',
      ...['step 3', 'write 3'],
      'train 3',
      ...['score 4', 'step 4', 'write 4'],
    ]);
  });

  const mesh = {
    'parallelism.data_parallel': 2,
    'parallelism.pipeline_parallel': 2,
    'parallelism.expert_parallel': 2,
    'parallelism.micro_batches': 2,
  };
  const outcomeOf = ({ curve, digest, evalLoss }: Played) => ({ curve, digest, evalLoss });

  it('begins nowhere before the decision about the one before has come there, whoever hears of it late', async () => {
    const settings = { ...mesh, 'training.eval_interval': 0 };
    const alone = await play(smallTopology(settings), { directory: directory() });
    for (const late of [['run/stage-p*-d0'], ['run/router-l1-d0', 'run/expert-l3-e*']]) {
      const fault = { kind: 'delay', ms: 3 } as const;
      const rules = late.map((to) => ({ fault, message: 'apply', to, times: Infinity }));
      const filter = new FaultPlan(1, rules);
      const other = await play(smallTopology(settings), { directory: directory(), system: { filter } });
      expect(outcomeOf(other)).toEqual(outcomeOf(alone));
      expect(filter.events.length).toBeGreaterThan(3);
    }
  });

  it('costs as many messages of the trainer with 64 experts as with 4', async () => {
    const counts: number[] = [];
    for (const experts of [4, 64]) {
      let count = 0;
      const filter: DeliveryFilter = {
        judge: ({ route: { to, from } }) => {
          if (to === trainerAddress || from === trainerAddress) count += 1;
          return null;
        },
      };
      const settings = { 'moe.num_experts': experts, 'cluster.memory_per_worker': '256MiB' };
      await play(smallTopology(settings), { directory: directory(), system: { filter } });
      counts.push(count);
    }
    expect(counts[1]).toBe(counts[0]);
  });

  it('whose line cannot be written ends the run, before the one that is open by then is decided', async () => {
    const topology = smallTopology();
    const decisions = new MemoryDecisionStore();
    const runSpec = await drawn(topology);
    const run = await Run.start({ runSpec, batches: hashedBatches(topology), gen: 1, decisions });
    const full = new LogIo('metrics.jsonl', 'written', Object.assign(new Error('full'), { code: 'ENOSPC' }));
    const nothing = (): void => undefined;
    const observer = {
      evaluated: nothing,
      checkpoint: nothing,
      lossScale: nothing,
      incident: nothing,
      unrecorded: nothing,
    };
    const step = (): void => {
      throw full;
    };
    run.system.spawn(eventLogProtocol, eventLogAddress, () => new EventLog({ ...observer, step }));
    const trainer = run.system.ref(trainerProtocol, trainerAddress);
    const trained = trainer.ask.train({ firstStep: 0, updateStep: 0, isNew: false }, { timeoutMs: 60_000 });
    await expect(trained).rejects.toMatchObject({ tag: 'LogIo', message: full.message });
    expect(await decisions.newest(0)).toBe(0);
    await run.stop();
  });

  it('that is under way when the run is stopped fails once, with it', async () => {
    const topology = smallTopology();
    const { promise: isUnderWay, resolve } = Promise.withResolvers<undefined>();
    const hashed = hashedBatches(topology);
    const batches: BatchPort = {
      ...hashed,
      microbatch: (unit) => {
        resolve(undefined);
        return hashed.microbatch(unit);
      },
    };
    const run = await Run.start({ runSpec: await drawn(topology), batches, gen: 1 });
    const trained = run.system
      .ref(trainerProtocol, trainerAddress)
      .ask.train({ firstStep: 0, updateStep: 0, isNew: false });
    const failed = expect(trained).rejects.toMatchObject({ tag: 'NoSuchActor' });
    await isUnderWay;
    await run.stop();
    await failed;
  });
});
