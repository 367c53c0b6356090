/** Both update rules over arenas of the WebGPU device, against plain float64. */
// @module-tag webgpu
import { afterAll, beforeAll, expect, it } from 'vitest';
import { relativeError } from '../../kernels/kit.ts';
import { openDevice } from '../../kernels/webgpu/kit.ts';
import {
  alsoWide,
  embedding,
  hiddenRow,
  holderOn,
  norm,
  plainAdamw,
  plainMuon,
  steps,
  tall,
  wide,
} from './update_rules.ts';

// A driver on the processor takes many seconds to compile products in shared memory.
const device = await openDevice({ isSerial: true });
afterAll(() => device.close());

let updated: Readonly<Record<string, Float32Array>>;
beforeAll(async () => {
  const holder = await holderOn(device);
  for (const step of steps) await holder.update(step);
  updated = await holder.read();
});

it.each([embedding, norm, hiddenRow])('three updates are those of AdamW for $name', (each) => {
  for (const [state, expected] of Object.entries(plainAdamw(each)))
    expect(relativeError(updated[`${each.name}${state}`], Float32Array.from(expected))).toBeLessThan(1e-5);
});

it.each([wide, tall, alsoWide])('three updates are those of Muon for $name', (each) => {
  for (const [state, expected] of Object.entries(plainMuon(each)))
    expect(relativeError(updated[`${each.name}${state}`], Float32Array.from(expected))).toBeLessThan(1e-4);
});
