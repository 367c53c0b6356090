/** Forms of a product: each gives the same bits, the fastest is found and remembered. */
// @module-tag webgpu
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { add, f32, matmul, relu, trace } from '../../../src/kernels/index.ts';
import { TuningFile } from '../../../src/kernels/webgpu/tuning_file.ts';
import { bytesOf, inputsOf, onDevice } from '../kit.ts';
import { openDevice } from './kit.ts';

const program = trace('product', { a: f32([72, 40]), b: f32([40, 68]), bias: f32([68]) }, ({ a, b, bias }) => ({
  y: relu(add(matmul(a, b, { scale: 0.3 }), bias)),
}));
const key = 'matmul NN [72, 68, 40] f32';
/** With shared memory the rest of the program is part of the product. */
const sharedKey = 'matmul + add + relu NN [72, 68, 40] f32';
const serial = ['serial 8x4', 'serial 8x8'];
const shared = ['vectors 64/4/32', 'vectors 64/8/16', 'vectors 128/8/16'];

const opened: Awaited<ReturnType<typeof openDevice>>[] = [];
const open: typeof openDevice = async (options) => {
  const device = await openDevice(options);
  opened.push(device);
  return device;
};
const folder = mkdtempSync(join(tmpdir(), 'troupe-tuning-'));
afterAll(async () => {
  await Promise.all(opened.map((device) => device.close()));
  rmSync(folder, { recursive: true });
});

const { numericsClass } = await open();
let files = 0;
/** A file that says of this adapter that it takes `name`. */
function fileOf(name: string): TuningFile {
  const file = new TuningFile(join(folder, `${files++}.json`));
  file.keep(numericsClass, { [key]: name, [sharedKey]: name });
  return file;
}

async function bitsBy(options: Parameters<typeof openDevice>[0]) {
  const device = await open(options);
  const { y } = await onDevice(device)(program, inputsOf(program), {});
  return { bits: bytesOf(y).toString('base64'), choices: device.choices, buffers: device.counts().buffers };
}

it.each([
  [true, serial, key],
  [false, shared, sharedKey],
])('gives the same bits in every form (without barriers: %s), tuned and not', async (isSerial, names, own) => {
  const untuned = await bitsBy({ isSerial, autotune: false });
  expect(untuned.choices).toEqual({});
  for (const name of names) {
    const forced = await bitsBy({ isSerial, autotune: true, tuning: fileOf(name) });
    expect(forced.bits, name).toBe(untuned.bits);
    expect(forced.choices[own]).toBe(name);
  }
  const tuned = await bitsBy({ isSerial, autotune: true });
  expect(tuned.bits).toBe(untuned.bits);
  expect(names).toContain(tuned.choices[own]);
  expect(tuned.buffers).toBe(untuned.buffers);
});

it('tries again where what is remembered is no form of this adapter', async () => {
  const { choices } = await bitsBy({ isSerial: true, autotune: true, tuning: fileOf('of another') });
  expect(serial).toContain(choices[key]);
});

it('tells what it took, and not what is known of other programs', async () => {
  const file = fileOf(serial[1]);
  file.keep(numericsClass, { 'matmul NN [1, 2, 3] f32': serial[0] });
  expect((await bitsBy({ isSerial: true, autotune: true, tuning: file })).choices).toEqual({ [key]: serial[1] });
  expect((await bitsBy({ isSerial: true, autotune: false, tuning: file })).choices).toEqual({});
});

it('keeps what it found out by adapter, beside what is known of others', async () => {
  const path = join(folder, 'new', 'tuning.json');
  const file = new TuningFile(path);
  file.keep('another adapter', { [key]: 'vectors' });
  const { choices } = await bitsBy({ isSerial: true, autotune: true, tuning: file });
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({
    'another adapter': { [key]: 'vectors' },
    [numericsClass]: choices,
  });
  expect(new TuningFile(path).choices(numericsClass)).toEqual(choices);
});

it('takes a file that is none for an empty one', () => {
  const path = join(folder, 'broken.json');
  writeFileSync(path, '{"half":');
  const file = new TuningFile(path);
  expect(file.choices('any')).toEqual({});
  file.keep('any', { a: 'b' });
  expect(file.choices('any')).toEqual({ a: 'b' });
  // A folder cannot be made below a file: nothing is kept, and nothing is thrown.
  const nowhere = new TuningFile(join(path, 'below', 'tuning.json'));
  nowhere.keep('any', { a: 'b' });
  expect(nowhere.choices('any')).toEqual({});
});
