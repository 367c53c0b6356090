/** What `cluster.device: auto` comes to on machines that are not this one: the machine's first adapter plays the GPU. */
// @module-tag webgpu
import { afterEach, expect, test, vi } from 'vitest';
import { chosenDevice } from '../../src/run/chosen_device.ts';
import { openDevice } from '../../src/run/open_device.ts';
import type * as adapters from '../../src/kernels/webgpu/adapters.ts';
import { WebGpuDevice } from '../../src/kernels/webgpu/device.ts';
import { isCi } from '../ci.ts';

// Mesa's driver for the processor takes minutes to optimise shaders that run for microseconds.
process.env.GALLIVM_PERF ??= 'nopt';

type OpenAdapter = adapters.OpenAdapter;

const machine = vi.hoisted(() => ({ open: null as null | ((wanted: string) => Promise<unknown>) }));
vi.mock('../../src/kernels/webgpu/adapters.ts', async (load) => {
  const actual = await load<typeof adapters>();
  return { ...actual, openAdapter: (wanted: string) => machine.open?.(wanted) ?? actual.openAdapter(wanted) };
});

// What plays the GPU computes as what it is: shaders with barriers would take it long to compile, and there is nothing to tune.
const over = WebGpuDevice.over.bind(WebGpuDevice);
vi.spyOn(WebGpuDevice, 'over').mockImplementation((adapter, given) =>
  over(adapter, { ...given, isSerial: true, autotune: false }),
);

const options = { bytes: 2 ** 20, onLost: () => undefined };
const processor = (why: string) => ({ kind: 'cpu', adapter: null, reason: `cluster.device is auto, and ${why}` });

async function opened(choice: string) {
  const { device, ...facts } = await openDevice(choice, options);
  await device.close();
  return { kind: device.kind, ...facts };
}

/** The machine's first adapter, whatever it is; where there is none, and all of this is skipped, one that runs nothing. */
async function firstAdapter(): Promise<OpenAdapter> {
  const actual = await vi.importActual<typeof adapters>('../../src/kernels/webgpu/adapters.ts');
  const isThere = (await actual.listAdapters()).length > 0;
  return isThere || isCi(process.env) ? actual.openAdapter('0') : actual.openNull();
}

afterEach(() => {
  machine.open = null;
});

test('it is the first GPU where there is one, and workers are to open that', async () => {
  const { name: adapter } = await firstAdapter();
  const wanted: string[] = [];
  machine.open = async (name) => {
    wanted.push(name);
    // An adapter makes one device only.
    return { ...(await firstAdapter()), isSoftware: false };
  };
  expect(await opened('auto')).toEqual({ kind: 'webgpu', adapter, reason: 'cluster.device is auto' });
  expect(await chosenDevice('auto')).toMatchObject({
    choice: 'webgpu',
    numerics: { device: expect.stringMatching(/^webgpu\//) as unknown },
    facts: { device: 'webgpu', adapter },
  });
  expect(wanted).toEqual(['', '']);
});

// On a machine that has a GPU there is nothing to be seen of this.
test.skipIf(!(await firstAdapter()).isSoftware)('it is never a driver that computes on the processor', async () => {
  expect(await opened('auto')).toEqual(processor('there is no GPU'));
});

test('a GPU whose driver gives no device is passed over by auto, and refused where it is named', async () => {
  const adapter = { limits: {}, features: new Set(), requestDevice: () => Promise.reject(new Error('out of\nmemory')) };
  machine.open = () => Promise.resolve({ backend: 'vulkan', name: 'Faulty', adapter, isSoftware: false });
  expect(await opened('auto')).toEqual(processor('adapter Faulty gives no device (out of)'));
  await expect(opened('webgpu')).rejects.toMatchObject({
    tag: 'DeviceRefused',
    exitCode: 1,
    message:
      'webgpu: adapter Faulty gives no device (out of); see troupe doctor, take another adapter, or set device: cpu',
  });
});

test('what is no reason for another device is thrown', async () => {
  machine.open = () => Promise.reject(new RangeError('a bug'));
  await expect(opened('auto')).rejects.toThrow('a bug');
});
