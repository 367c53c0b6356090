/**
 * How rows get from a tensor of one actor into tensors of another: by value, or by a lease where both live on one worker. Of a
 * device with memory of its own that is a room there, into which rows are copied in the queue's order; where memory is shared
 * rows may be lent, and are read where they lie.
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
  /** A room of the port, the lender's own tensor, or what was in it when it was recalled. */
  readonly of: { readonly room: Tensor } | { readonly lent: RowRange } | { readonly kept: Data };
}

export class RowsPort {
  private readonly device: Device;
  /** Whether the actor of an address lives on this worker. */
  readonly isHere: (address: string) => boolean;
  private readonly leases = new Map<number, Lease>();
  /** The leases of rows that are lent, by their tensor. */
  private readonly lent = new Map<Tensor, Set<number>>();
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
    return { lease: this.leased({ to, of: { room } }), shape };
  }

  /**
   * The same of one range. Where memory is shared and the receiver lives here the rows stay where they are until they are laid:
   * who writes to the tensor before that recalls it first.
   */
  async lend(range: RowRange, to: string, most?: number): Promise<Rows> {
    const { tensor, rows } = range;
    if (!this.device.sharesMemory || !this.isHere(to)) return await this.gather([range], to, most);
    const lease = this.leased({ to, of: { lent: range } });
    const known = this.lent.get(tensor);
    if (known === undefined) this.lent.set(tensor, new Set([lease]));
    else known.add(lease);
    return { lease, shape: [rows, tensor.shape[1]] };
  }

  /** Keeps what is lent of tensors and was not laid: they may be written to. */
  async recall(...tensors: readonly Tensor[]): Promise<void> {
    for (const tensor of tensors) {
      for (const id of this.lent.get(tensor) ?? []) {
        const lease = this.leases.get(id);
        if (lease === undefined || !('lent' in lease.of)) continue;
        const { at = 0, rows } = lease.of.lent;
        const [, width] = tensor.shape;
        const data = await this.device.read(tensor, rows * width, at * width);
        this.leases.set(id, { ...lease, of: { kept: data.slice() } });
      }
      this.lent.delete(tensor);
    }
  }

  /** Lays rows that came in a message into ranges that take all of them, one after another. A lease ends with it. */
  scatter(rows: Rows, ranges: readonly RowRange[]): void {
    const [count, width] = rows.shape;
    const taken = ranges.reduce((sum, range) => sum + range.rows, 0);
    if (taken !== count) throw new Error(`${count} rows came, and ${taken} were expected`);
    if ('lease' in rows) {
      const lease = this.leases.get(rows.lease);
      if (lease === undefined) throw new Error(`rows of lease ${rows.lease}, which has ended`);
      const { of } = lease;
      if ('kept' in of) this.lay(payload(of.kept, rows.shape), ranges);
      else {
        const { tensor: room, at: first = 0 } = 'lent' in of ? of.lent : { tensor: of.room };
        const from = (start: number) => ({ room, start: first + start });
        this.device.copy(placed(ranges).map(({ range, start }) => copyOf(range, width, from(start), 'from')));
      }
      this.end(rows.lease, lease);
      return;
    }
    this.lay(rows, ranges);
  }

  /** Rows that outlast the handler of the message that they came in. */
  keep(rows: Rows): Rows {
    return 'lease' in rows ? rows : payload(dataOf(rows).slice(), rows.shape);
  }

  /** Ends the leases of rows to `to`: nobody will ask for them. */
  abandon(to: string): void {
    for (const [id, lease] of this.leases) if (lease.to === to) this.end(id, lease);
  }

  private leased(lease: Lease): number {
    const id = this.count++;
    this.leases.set(id, lease);
    return id;
  }

  private lay(rows: TensorPayload, ranges: readonly RowRange[]): void {
    const [, width] = rows.shape;
    for (const { range, start } of placed(ranges)) {
      const { tensor, at = 0, rows: own } = range;
      const data = dataFor(tensor, rows);
      this.device.write(tensor, data.subarray(start * width, (start + own) * width), at * width);
    }
  }

  private end(id: number, { of }: Lease): void {
    this.leases.delete(id);
    if ('room' in of) this.spareOf(of.room.dtype, of.room.shape).push(of.room);
    else if ('lent' in of) this.lent.get(of.lent.tensor)?.delete(id);
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
