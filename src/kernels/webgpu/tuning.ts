/**
 * Which form of a pass is the fastest on an adapter, by trying: on buffers of its own, at the largest live sizes. All forms
 * give the same bits, so that a choice is a matter of time alone; it is remembered by what it was made for.
 */
import { bytesPerElement } from '../dtype.ts';
import { maxElements } from '../shape.ts';
import type { Pass } from './pass.ts';
import { beginWait } from './polling.ts';
import { boundBytes } from './tensor.ts';

/** Names of forms by what they were chosen for. */
export type Choices = Readonly<Record<string, string>>;

/** Records one dispatch over buffers, one for each binding of the pass. */
export type Recorder = (pass: Pass, buffers: readonly GPUBuffer[]) => Promise<(encoder: GPUComputePassEncoder) => void>;

/** Dispatches at a time, and times. */
const REPEATS = 4;
const TRIALS = 3;

export class Tuning {
  private readonly known: Choices;
  private readonly taken = new Map<string, string>();

  /** `known`: what was found out before, maybe for programs that this device will not have. */
  constructor(known: Choices = {}) {
    this.known = known;
  }

  /** Those that were taken. */
  get choices(): Choices {
    return Object.fromEntries(this.taken);
  }

  /** The form of `pass` to be used. Where it is not known, and `device` is there to try, it is found out. */
  async chosen(pass: Pass, device: GPUDevice, record: Recorder): Promise<Pass> {
    const { choice } = pass;
    if (choice === undefined) return pass;
    const { key, forms } = choice;
    const before = this.taken.get(key) ?? this.known[key];
    const form = forms.find(({ name }) => name === before) ?? (await fastestOf(forms, device, record));
    this.taken.set(key, form.name);
    return form.pass;
  }
}

type Form = NonNullable<Pass['choice']>['forms'][number];

async function fastestOf(forms: readonly Form[], device: GPUDevice, record: Recorder): Promise<Form> {
  // Forms of one pass have the same bindings, in the same order.
  const buffers = forms[0].pass.bindings.map(({ value: { type } }) =>
    device.createBuffer({
      label: 'tuning',
      size: boundBytes(maxElements(type.shape) * bytesPerElement[type.dtype]),
      usage: GPUBufferUsage.STORAGE,
    }),
  );
  const times: number[] = [];
  for (const { pass } of forms) {
    const dispatch = await record(pass, buffers);
    // The first time pays for what drivers put off.
    await timeOf(device, dispatch, 1);
    let leastMs = Infinity;
    for (let trial = 0; trial < TRIALS; trial++) leastMs = Math.min(leastMs, await timeOf(device, dispatch, REPEATS));
    times.push(leastMs);
  }
  buffers.forEach((buffer) => buffer.destroy());
  return forms[times.indexOf(Math.min(...times))];
}

async function timeOf(
  device: GPUDevice,
  dispatch: (encoder: GPUComputePassEncoder) => void,
  repeats: number,
): Promise<number> {
  const startMs = performance.now();
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  for (let i = 0; i < repeats; i++) dispatch(pass);
  pass.end();
  device.queue.submit([encoder.finish()]);
  beginWait();
  await device.queue.onSubmittedWorkDone();
  return performance.now() - startMs;
}
