/** State messages: small tensors share one, a large one takes several, and all values arrive where they belong. */
import { describe, expect, it } from 'vitest';
import { dataOf } from '../../src/actors/protocol/pass.ts';
import type { StatePart } from '../../src/actors/protocol/parameters.ts';
import { BadTensor, type Dtype, type TensorParts } from '../../src/checkpoints/index.ts';
import { StateMessages } from '../../src/run/state_messages.ts';

const room = 2 ** 20 - 2 ** 14;

/** The values 0, 1, 2 ... of a tensor, `size` bytes at a time through one buffer, as a file gives them. */
function counted(name: string, shape: number[], size: number, dtype: Dtype = 'F32'): TensorParts {
  const count = shape.reduce((product, extent) => product * extent, 1);
  const values =
    dtype === 'F32' ? Float32Array.from({ length: count }, (_, i) => i) : new Uint16Array(count).fill(0x3f80);
  const bytes = new Uint8Array(values.buffer);
  async function* parts() {
    const buffer = new Uint8Array(size);
    for (let at = 0; at < bytes.length; at += size) {
      const part = buffer.subarray(0, bytes.length - at);
      part.set(bytes.subarray(at, at + part.length));
      yield await Promise.resolve(part);
    }
    buffer.fill(0xff);
  }
  return { name, dtype, shape, parts: parts() };
}

/** What messages brought, by name, and the parts of each message. */
async function sentOf(...tensors: TensorParts[]) {
  const sent = new Map<string, number[]>();
  const lengths: number[][] = [];
  const send = (parts: StatePart[]): Promise<void> => {
    lengths.push(parts.map(({ values }) => values.data.length));
    for (const { name, at, values } of parts) {
      const known = sent.get(name) ?? [];
      expect(at).toBe(known.length);
      sent.set(name, known.concat(Array.from(dataOf(values))));
    }
    return Promise.resolve();
  };
  const messages = new StateMessages(send);
  for (const tensor of tensors) await messages.add(tensor);
  await messages.flush();
  await messages.flush();
  return { sent, lengths };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('state messages', () => {
  it('carry small tensors together, and no message without any', async () => {
    const { sent, lengths } = await sentOf(counted('a', [3, 5], 8), counted('b', [], 4), counted('c', [7], 4096));
    expect(lengths).toEqual([[15, 1, 7]]);
    expect(Object.fromEntries(sent)).toEqual({ a: upTo(15), b: [0], c: upTo(7) });
    expect((await sentOf()).lengths).toEqual([]);
  });

  it('carry a large tensor in several, each with as much as there is room for', async () => {
    const large = [3, 700_001];
    const { sent, lengths } = await sentOf(
      counted('a', [5], 2 ** 20),
      counted('b', large, 2 ** 20),
      counted('c', [2], 4),
    );
    expect(lengths).toEqual([[5, room - 5], [room], [2_100_003 - 2 * room + 5, 2]]);
    expect(sent.get('b')).toEqual(upTo(2_100_003));
    expect(sent.get('c')).toEqual([0, 1]);
  });

  it('carry a thousand tensors at most, however small', async () => {
    const { lengths } = await sentOf(...upTo(1500).map((i) => counted(`norm ${i}`, [2], 8)));
    expect(lengths.map((each) => each.length)).toEqual([1024, 476]);
  });

  it('widen half floats, and refuse what is no float by name', async () => {
    const { sent } = await sentOf(counted('a', [9], 4, 'BF16'));
    expect(sent.get('a')).toEqual(new Array(9).fill(1));
    await expect(sentOf({ ...counted('steps', [3], 4), dtype: 'I32' })).rejects.toThrow(BadTensor);
  });
});
