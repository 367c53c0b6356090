/** Rows to expert groups and back: what has no credit waits its turn in the queue of its group, and nobody else's. */
import { describe, expect, it } from 'vitest';
import { RowExchange, type Dispatch } from '../../../src/actors/mixture/row_exchange.ts';
import { payload, type PassKind, type Unit } from '../../../src/actors/protocol/pass.ts';
import { RowsPort } from '../../../src/actors/stage/rows_port.ts';
import { CpuDevice } from '../../../src/kernels/index.ts';

const width = 4;
const unit = (microbatch: number, kind: PassKind = 'train'): Unit => ({ kind, data: 'd', step: 1, microbatch });
/** Of four experts, two a group: rows 0 and 1 for group 0, rows 2 to 4 for group 1. */
const packed = { kept_E: Int32Array.of(1, 1, 0, 3), start_E: [0, 1, 2, 2] };

class Setting {
  now = 0;
  readonly sent: { readonly group: number; readonly message: Dispatch }[] = [];
  private readonly device = new CpuDevice({ bytes: 2 ** 20 });
  private readonly slice = this.device.slice('rows', 2 ** 19);
  readonly target = this.slice.tensor('target', 'f32', [8, width]);
  private readonly rows = this.slice.tensor('rows', 'f32', [8, width]);
  readonly exchange: RowExchange;

  constructor(grant: { readonly microbatches?: number; readonly bytes?: number }) {
    this.device.write(
      this.rows,
      Float32Array.from({ length: 8 * width }, (_, i) => i),
    );
    this.exchange = new RowExchange({
      port: new RowsPort(this.device, () => false),
      experts: 4,
      groups: ['g0', 'g1'],
      room: 8,
      grant: { rows: 8, microbatches: 4, bytes: 1000, ...grant },
      now: () => this.now,
    });
  }

  /** Of the pass in hand. */
  kind: PassKind = 'train';

  send(microbatch: number, phase: 'forward' | 'backward' = 'forward'): Promise<Set<number>> {
    return this.exchange.send(unit(microbatch, this.kind), phase, packed, this.rows, (group, message) => {
      this.sent.push({ group, message });
    });
  }

  async answer(microbatch: number, group: number, phase: 'forward' | 'backward' = 'forward'): Promise<void> {
    const rows = payload(new Float32Array([2, 3][group] * width).fill(microbatch), [[2, 3][group], width]);
    await this.exchange.receive(unit(microbatch, this.kind), phase, packed, { group, rows, target_SD: this.target });
  }

  /** What was sent, as `microbatch-group`. */
  get order(): string[] {
    return this.sent.map(({ group, message }) => `${message.microbatch}-${group}`);
  }
}

describe('rows of a microbatch', () => {
  it('go to each group with their counts, and come back to their place', async () => {
    const setting = new Setting({});
    expect(await setting.send(0)).toEqual(new Set([0, 1]));
    expect(setting.sent.map(({ message: { counts, rows } }) => [counts, rows.shape])).toEqual([
      [
        [1, 1],
        [2, width],
      ],
      [
        [0, 3],
        [3, width],
      ],
    ]);
    await setting.answer(0, 1);
    expect(setting.exchange.outstanding).toBe(1);
    await setting.answer(0, 0);
    expect(setting.exchange.outstanding).toBe(0);
  });
});

describe('rows without credit', () => {
  it('wait for their own group only, and leave when it answers', async () => {
    // 48 bytes to group 1, and 32 to group 0.
    const setting = new Setting({ bytes: 70 });
    await setting.send(0);
    await setting.send(1);
    expect(setting.order).toEqual(['0-0', '0-1', '1-0']);
    setting.now = 5;
    await setting.answer(0, 0);
    expect(setting.order).toHaveLength(3);
    setting.now = 7;
    await setting.answer(0, 1);
    expect(setting.order).toEqual(['0-0', '0-1', '1-0', '1-1']);
    expect(setting.exchange.takeWaits('1')).toEqual({ 'experts-l1-g1': 7 });
    expect(setting.exchange.takeWaits('1')).toEqual({});
  });

  it('wait on the account of training steps only', async () => {
    const setting = new Setting({ microbatches: 1 });
    setting.kind = 'score';
    await setting.send(0);
    await setting.send(1);
    setting.now = 5;
    await setting.answer(0, 0);
    expect(setting.order).toEqual(['0-0', '0-1', '1-0']);
    expect(setting.exchange.takeWaits('1')).toEqual({});
  });

  it('wait behind gradients, whose way back sets memory free', async () => {
    const setting = new Setting({ microbatches: 1, bytes: 40 });
    await setting.send(0);
    await setting.answer(0, 0);
    await setting.answer(0, 1);
    await setting.send(1);
    expect(setting.order).toEqual(['0-0', '0-1']);
    await setting.send(0, 'backward');
    await setting.answer(0, 0, 'backward');
    expect(setting.order).toEqual(['0-0', '0-1', '0-0', '0-1', '1-0']);
    expect(setting.exchange.outstanding).toBe(3);
  });

  it('are forgotten with their gen', async () => {
    const setting = new Setting({ microbatches: 1 });
    await setting.send(0);
    await setting.send(1);
    setting.now = 5;
    await setting.answer(0, 0);
    await setting.send(0, 'backward');
    await setting.answer(0, 0, 'backward');
    setting.exchange.abandon();
    expect(setting.exchange.outstanding).toBe(0);
    expect(setting.exchange.takeWaits('1')).toEqual({});
    setting.sent.length = 0;
    await setting.send(2);
    expect(setting.order).toEqual(['2-0', '2-1']);
  });
});
