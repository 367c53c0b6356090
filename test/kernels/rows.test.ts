/**
 * The numbers contract: a row of a result has the same bits whatever other rows run with it. Checked for every op,
 * forward and gradient, on the CPU device.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { CpuDevice, dynamic, vjp, type Data, type Program } from '../../src/kernels/index.ts';
import { cases } from './cases.ts';
import { bytesOf, forwardAndBackward, inputsOf, onDevice, type Inputs } from './kit.ts';

const device = new CpuDevice({ bytes: 2 ** 29 });
afterAll(() => device.close());

const counts = [1, 2, 3, 17, 64];
const most = 1000;

describe.each(cases)('$name', ({ name, rows: kind, build, fill }) => {
  it('gives a row the same bits among 1, 2, 3, 17, 64 or 1000 rows', async () => {
    // Attention of 1000 sequences takes long and shows no more than that of 70.
    const all = name.startsWith('attention') ? 70 : most;
    const shared = kind === 'dynamic' ? vjp(build(dynamic('rows', all))) : undefined;
    const runs = new Map<number, Inputs>();
    for (const rows of [...counts, all]) {
      const v = shared ?? vjp(build(rows));
      runs.set(rows, await forwardAndBackward(onDevice(device), v, inputsOf(v.forward, fill), { rows }));
    }
    const large = build(kind === 'dynamic' ? dynamic('rows', all) : all);
    const names = outputsByRow(large, all).concat(outputsByRow(vjp(large).backward, all));
    for (const rows of counts) {
      for (const output of names) {
        const bytes = bytesOf(runs.get(rows)![output]);
        const same = bytesOf(runs.get(all)![output]).subarray(0, bytes.length);
        expect(bytes.equals(same), `${output} of ${rows} rows`).toBe(true);
      }
    }
  });
});

const movable = cases.filter(({ name, rows }) => rows === 'dynamic' && name !== 'jitter');

describe.each(movable)('$name', ({ build, fill }) => {
  it('gives a row the same bits at another place', async () => {
    const rows = 61;
    const by = 7;
    const v = vjp(build(dynamic('rows', rows)));
    const inputs = { ...inputsOf(v.backward), ...inputsOf(v.forward, fill) };
    const isByRow = new Set([v.forward, v.backward].flatMap((p) => [...inputsByRow(p), ...outputsByRow(p, rows)]));
    const rotate = (data: Data): Data => {
      const places = (data.length / rows) * by;
      const turned = data.slice();
      turned.set(data.subarray(places));
      turned.set(data.subarray(0, places), data.length - places);
      return turned;
    };
    const turned = Object.fromEntries(
      Object.entries(inputs).map(([name, data]) => [name, isByRow.has(name) ? rotate(data) : data]),
    );
    const before = await forwardAndBackward(onDevice(device), v, inputs, { rows });
    const after = await forwardAndBackward(onDevice(device), v, turned, { rows });
    for (const name of [...outputsByRow(v.forward, rows), ...outputsByRow(v.backward, rows)]) {
      expect(bytesOf(after[name]).equals(bytesOf(rotate(before[name]))), name).toBe(true);
    }
  });
});

/** Names of the inputs whose first axis is the rows. */
function inputsByRow(program: Program): string[] {
  return program.inputs.filter(({ value }) => typeof value.type.shape[0] !== 'number').map((b) => b.name);
}

/** Names of the outputs whose first axis is the rows. */
function outputsByRow(program: Program, all: number): string[] {
  return program.outputs
    .filter(({ value }) => {
      const first = value.type.shape.at(0);
      return first !== undefined && (typeof first === 'number' ? first === all : first.name === 'rows');
    })
    .map((b) => b.name);
}
