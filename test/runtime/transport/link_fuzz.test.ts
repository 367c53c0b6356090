import { expect, test } from 'vitest';
import { mix } from '../../../src/runtime/testing/random.ts';
import { LinkSender } from '../../../src/runtime/transport/link_sender.ts';
import { DAMAGES } from './link_damage.ts';
import { CHUNK_BYTES, ReceivingEnd, SENDER } from './link_kit.ts';

const SEEDS = 200;

const frameOf = (seed: number, index: number): Buffer =>
  Buffer.from(Array.from({ length: 1 + (mix(seed, index) % 100) }, (_, i) => mix(seed, index, i) & 255));

test(`damaged, truncated, overlong and foreign chunks are dropped and counted, and nothing else (${SEEDS} seeds)`, () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const sender = new LinkSender(SENDER, CHUNK_BYTES);
    sender.enter(1);
    const end = new ReceivingEnd();
    const frames = Array.from({ length: 20 }, (_, index) => frameOf(seed, index));
    const expected: Record<string, number> = { corrupt: 0, malformed: 0, foreign: 0, stale: 0 };
    // The first chunk tells the receiver its gen, so that lower ones can be told.
    const chunks = frames.flatMap((frame) => sender.cut([frame]));
    chunks.forEach((chunk, index) => {
      if (index > 0 && mix(seed, index, 1) % 3 === 0) {
        const [counter, damage] = DAMAGES[mix(seed, index, 2) % DAMAGES.length];
        expected[counter] += 1;
        end.take(damage(Buffer.from(chunk), mix(seed, index, 3)));
      }
      end.take(chunk);
    });
    const { corrupt, malformed, foreign, stale, duplicates, broken, partial } = end.counters;
    expect({ corrupt, malformed, foreign, stale }).toEqual(expected);
    expect(end.frames).toEqual(frames);
    expect([end.faults, end.pool.leased, end.budget.usedBytes]).toEqual([[], 0, 0]);
    expect([duplicates, broken, partial]).toEqual([0, 0, 0]);
  }
});

test(`noise leaves no trace but a count (${SEEDS} seeds)`, () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const end = new ReceivingEnd();
    for (let index = 0; index < 50; index++) {
      const noise = frameOf(seed, index);
      end.take(index % 2 === 0 ? noise : Buffer.concat([Buffer.from([0x54, 0x4c, 2, 0]), noise]));
    }
    expect(end.counters.malformed + end.counters.corrupt).toBe(50);
    expect([end.frames, end.faults, end.receiver.gen, end.pool.leased]).toEqual([[], [], 0, 0]);
  }
});

test(`chunks shuffled within the window and doubled come out as they were sent (${SEEDS} seeds)`, () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const sender = new LinkSender(SENDER, CHUNK_BYTES);
    const end = new ReceivingEnd();
    const frames = Array.from({ length: 20 }, (_, index) => frameOf(seed, index));
    const chunks = frames.flatMap((frame) => sender.cut([frame]));
    // Each chunk is at most three places from its own: the window is four.
    const order = chunks
      .map((chunk, index) => ({ chunk, at: index + (mix(seed, index) % 3) }))
      .sort((a, b) => a.at - b.at);
    let doubled = 0;
    order.forEach(({ chunk }, index) => {
      end.take(chunk);
      if (mix(seed, index, 1) % 4 !== 0) return;
      doubled += 1;
      end.take(chunk);
    });
    expect(end.frames).toEqual(frames);
    expect([end.faults, end.counters.duplicates]).toEqual([[], doubled]);
  }
});
