import { expect, test } from 'vitest';
import { runSpecOf } from '../../../src/actors/placement/run_spec.ts';
import { castOf } from '../../../src/actors/placement/cast.ts';
import { largestMessageBytes, linkLimitsFor, slotsFor } from '../../../src/actors/placement/message_sizes.ts';
import { LINK_LIMITS } from '../../../src/runtime/cluster/nats.ts';
import { SLOTS } from '../../../src/runtime/index.ts';
import { defineTopology } from '../../../src/topology/index.ts';

async function largestOf(vocabulary: number, hidden: number, layers = 4): Promise<number> {
  const topology = defineTopology({
    model: { hidden_size: hidden, num_hidden_layers: layers, num_attention_heads: 4 },
    optimizer: { warmup_steps: 1 },
  });
  const runSpec = await runSpecOf({ topology, baseDir: '.', vocabulary });
  return largestMessageBytes(castOf(runSpec));
}

test('a small model travels within the usual bounds', async () => {
  const bytes = await largestOf(256, 128);
  expect(slotsFor(bytes)).toBe(SLOTS);
  const { maxFrameBytes, maxPartialBytes, maxQueuedBytes } = LINK_LIMITS;
  expect(linkLimitsFor(bytes)).toEqual({ maxFrameBytes, maxPartialBytes, maxQueuedBytes });
});

test('an embedding with its moments that is larger than they are raises them', async () => {
  const [vocabulary, hidden] = [32_000, 768];
  const bytes = await largestOf(vocabulary, hidden);
  expect(bytes).toBeGreaterThan(3 * 4 * vocabulary * hidden);
  expect(slotsFor(bytes).at(-1)).toEqual({ bytes, count: 4 });
  expect(linkLimitsFor(bytes)).toEqual({ maxFrameBytes: bytes, maxPartialBytes: 4 * bytes, maxQueuedBytes: 4 * bytes });
});

test('a stage of any number of layers travels in pieces, and raises nothing', async () => {
  expect(await largestOf(256, 512, 512)).toBe(await largestOf(256, 512));
});
