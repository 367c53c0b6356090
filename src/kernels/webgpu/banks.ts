/**
 * Buffers of which several slices have parts: their tensors of one name, one after another, so that a group binds those of
 * all its owners as one.
 */
import type { BankPlace } from '../device.ts';
import type { Buffers } from './buffers.ts';
import type { BufferPart, BufferSource } from './slice.ts';

interface Bank {
  readonly buffer: GPUBuffer;
  readonly partBytes: number;
  /** Places whose part is in use, and those whose part was, and holds what it held. */
  readonly used: Set<number>;
  readonly left: Set<number>;
}

export class Banks {
  private readonly buffers: Buffers;
  private readonly known = new Map<string, Bank>();

  constructor(buffers: Buffers) {
    this.buffers = buffers;
  }

  /** Where the slice of `place` gets its buffers. The first of a bank takes the memory of all. */
  source(place: BankPlace): BufferSource {
    const { alignment } = this.buffers;
    const counts = new Map<string, number>();
    return {
      alignment,
      part: (owner, what, bytes) => {
        const earlier = counts.get(what) ?? 0;
        counts.set(what, earlier + 1);
        const partBytes = Math.ceil(bytes / alignment) * alignment;
        const key = `${place.bank}: ${what} ${earlier}`;
        return this.partOf(key, place, partBytes, owner, what) ?? this.buffers.part(owner, what, bytes);
      },
    };
  }

  /** Null where the slice has to have a buffer of its own: its neighbours' is another size. */
  private partOf(key: string, { count, at }: BankPlace, partBytes: number, owner: string, what: string) {
    if (partBytes * count > this.buffers.largest.bytes) return null;
    const bank = this.known.get(key) ?? {
      buffer: this.buffers.take(owner, `${what}, for ${count} slices`, partBytes * count),
      partBytes,
      used: new Set<number>(),
      left: new Set<number>(),
    };
    this.known.set(key, bank);
    const { buffer, used, left } = bank;
    if (bank.partBytes !== partBytes || used.has(at)) return null;
    if (left.delete(at)) this.buffers.clear(buffer, at * partBytes, partBytes);
    used.add(at);
    const give = (): void => {
      used.delete(at);
      left.add(at);
      if (used.size > 0) return;
      this.known.delete(key);
      this.buffers.give(buffer);
    };
    return { buffer, offset: at * partBytes, give } satisfies BufferPart;
  }
}
