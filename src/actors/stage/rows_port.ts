/**
 * How rows get from a tensor of one actor into tensors of another: by value, or by a lease of device memory where both live
 * on one worker whose device has memory of its own. Then they are copied there, in the queue's order, and nobody waits.
 */
import type { Device, Slice, Tensor } from '../../kernels/device.ts';
import { bytesPerElement, type Data, type DType } from '../../kernels/dtype.ts';
import type { TensorPayload } from '../../runtime/index.ts';
import { alike } from '../placement/alike.ts';
import { dataOf, payload } from '../protocol/pass.ts';
import type { Rows } from '../protocol/rows.ts';

/** Rows `at` … `at + rows` − 1 of a tensor [S, D]; `at` is 0 if left out. */
export interface RowRange {
  readonly tensor: Tensor;
  readonly at?: number;
  readonly rows: number;
}

interface Lease {
  readonly to: string;
  readonly room: Tensor;
}

export class RowsPort {
  private readonly device: Device;
  /** Whether the actor of an address lives on this worker. */
  readonly isHere: (address: string) => boolean;
  private readonly leases = new Map<number, Lease>();
  /** Buffers that nobody has, by type and size. */
  private readonly spare = new Map<string, Tensor[]>();
  private count = 0;

  constructor(device: Device, isHere: (address: string) => boolean) {
    this.device = device;
    this.isHere = isHere;
  }

  /** Takes `count` buffers for rows under way from `slice`, where rows go by lease at all. Throws `OutOfSliceMemory`. */
  reserve(slice: Slice, dtype: DType, shape: readonly number[], count = 1): void {
    if (this.device.sharesMemory) return;
    const buffers = alike(this.device, count, () => slice.tensor('rows under way', dtype, shape));
    this.spareOf(dtype, shape).push(...buffers);
  }

  /**
   * The rows of all ranges, one after another, as a message to `to` takes them: never more than `most`, as many as the tensors
   * have if left out. By lease where a room of that size was reserved and is free.
   */
  async gather(ranges: readonly RowRange[], to: string, most = mostOf(ranges)): Promise<Rows> {
    const [{ tensor: first }] = ranges;
    const width = first.shape[1];
    const shape = [ranges.reduce((sum, { rows }) => sum + rows, 0), width];
    // Copies on a device are of whole words.
    const isWhole = (width * bytesPerElement[first.dtype]) % 4 === 0;
    const room = isWhole && this.isHere(to) ? this.spareOf(first.dtype, [most, width]).pop() : undefined;
    if (room === undefined) {
      const chunks = await Promise.all(
        ranges.map(({ tensor, at = 0, rows }) => this.device.read(tensor, rows * width, at * width)),
      );
      return payload(joined(chunks), shape);
    }
    this.device.copy(placed(ranges).map(({ range, start }) => copyOf(range, width, { room, start }, 'to')));
    const lease = this.count++;
    this.leases.set(lease, { to, room });
    return { lease, shape };
  }

  /** Lays rows that came in a message into ranges that take all of them, one after another. A lease ends with it. */
  scatter(rows: Rows, ranges: readonly RowRange[]): void {
    const [count, width] = rows.shape;
    const taken = ranges.reduce((sum, range) => sum + range.rows, 0);
    if (taken !== count) throw new Error(`${count} rows came, and ${taken} were expected`);
    if ('lease' in rows) {
      const lease = this.leases.get(rows.lease);
      if (lease === undefined) throw new Error(`rows of lease ${rows.lease}, which has ended`);
      const { room } = lease;
      this.device.copy(placed(ranges).map(({ range, start }) => copyOf(range, width, { room, start }, 'from')));
      this.end(rows.lease, lease);
      return;
    }
    for (const { range, start } of placed(ranges)) {
      const { tensor, at = 0, rows: own } = range;
      const data = dataFor(tensor, rows);
      this.device.write(tensor, data.subarray(start * width, (start + own) * width), at * width);
    }
  }

  /** Rows that outlast the handler of the message that they came in. */
  keep(rows: Rows): Rows {
    return 'lease' in rows ? rows : payload(dataOf(rows).slice(), rows.shape);
  }

  /** Ends the leases of rows to `to`: nobody will ask for them. */
  abandon(to: string): void {
    for (const [id, lease] of this.leases) if (lease.to === to) this.end(id, lease);
  }

  private end(id: number, { room }: Lease): void {
    this.leases.delete(id);
    this.spareOf(room.dtype, room.shape).push(room);
  }

  private spareOf(dtype: Tensor['dtype'], shape: readonly number[]): Tensor[] {
    const key = `${dtype} ${shape.join()}`;
    const spare = this.spare.get(key) ?? [];
    this.spare.set(key, spare);
    return spare;
  }
}

const mostOf = (ranges: readonly RowRange[]): number => ranges.reduce((sum, { tensor }) => sum + tensor.shape[0], 0);

/** Where each range starts among all rows. */
function placed(ranges: readonly RowRange[]): { readonly range: RowRange; readonly start: number }[] {
  let start = 0;
  return ranges.map((range) => ({ range, start: (start += range.rows) - range.rows }));
}

/** From a room to a range or the other way. */
function copyOf(
  { tensor, at = 0, rows }: RowRange,
  width: number,
  { room, start }: { readonly room: Tensor; readonly start: number },
  way: 'to' | 'from',
) {
  const [own, inBuffer] = [
    { tensor, at: at * width },
    { tensor: room, at: start * width },
  ];
  const [from, to] = way === 'to' ? [own, inBuffer] : [inBuffer, own];
  return { from, to, length: rows * width };
}

/** Rows as data for a tensor of their precision; bf16 travels as its 16 bits. */
function dataFor({ dtype }: Tensor, rows: TensorPayload): Data {
  if (rows.dtype !== (dtype === 'bf16' ? 'u16' : dtype)) {
    throw new TypeError('rows came back in another precision than they were sent');
  }
  return dataOf(rows);
}

/** All in one array, in the precision they came in. */
function joined(chunks: readonly Data[]): Data {
  const [first, ...others] = chunks;
  if (others.length === 0) return first;
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const all = first instanceof Float32Array ? new Float32Array(length) : new Uint16Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
