/** Attention of many kinds on the WebGPU device is what it is by definition; said in other words it has the same bits. */
// @module-tag webgpu
import { afterAll, expect, it } from 'vitest';
import { attentionKinds, errorOf, expectSameAttention, saidTwice } from '../attentions.ts';
import { onDevice } from '../kit.ts';
import { openDevice } from './kit.ts';

const device = await openDevice();
afterAll(() => device.close());
const run = onDevice(device);

// Those whose shaders differ; for a processor's driver each takes a second to compile, and a minute for wide heads.
it.each([
  'a window of odd sizes',
  'all keys, more than 512',
  'more queries than keys, a bias over shared keys',
  'a window with a bias and samples',
  'keys of several lengths, one of them 0',
  'a live number of sequences',
])('is what it is by definition, and its gradient: %s', async (name) => {
  expect(await errorOf(run, attentionKinds[name])).toBeLessThan(3e-6);
});

it.each(['causal as begins and ends', 'a window as begins, heads of 16'])('has the same bits: %s', async (name) => {
  await expectSameAttention(run, ...saidTwice[name]);
});
