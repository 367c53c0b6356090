/**
 * The sending end of a link: cuts frames into chunks and numbers them. It holds nothing back: what becomes of the chunks
 * is for the lane to say.
 */

import { bareChunk, ChunkField, ChunkKind, sealChunk, type LinkIdentity } from './link_chunk.ts';

export class LinkSender {
  readonly #identity: LinkIdentity;
  readonly #payloadBytes: number;
  #gen = 0;
  #sequence = 0;

  /** `chunkBytes` with the header. */
  constructor(identity: LinkIdentity, chunkBytes: number) {
    this.#identity = identity;
    this.#payloadBytes = chunkBytes - ChunkField.bytes;
  }

  get gen(): number {
    return this.#gen;
  }

  /** The number of the next chunk; how many were cut in this gen. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Starts counting anew, in another gen. */
  enter(gen: number): void {
    this.#gen = gen;
    this.#sequence = 0;
  }

  /** Copies `frame` into sealed chunks. An empty frame has none. */
  cut(frame: Uint8Array, base = 0): Buffer[] {
    const chunks: Buffer[] = [];
    for (let offset = 0; offset < frame.length; offset += this.#payloadBytes) {
      const end = Math.min(frame.length, offset + this.#payloadBytes);
      const bytes = Buffer.allocUnsafe(ChunkField.bytes + end - offset);
      bytes.set(frame.subarray(offset, end), ChunkField.bytes);
      const { frame: kind } = ChunkKind;
      const sequence = this.#sequence++;
      sealChunk(bytes, this.#identity, { kind, gen: this.#gen, sequence, base, frameBytes: frame.length, offset });
      chunks.push(bytes);
    }
    return chunks;
  }

  /** Says how far this link has sent, so that a lost end is noticed. */
  tail(): Buffer {
    return bareChunk(this.#identity, { kind: ChunkKind.tail, gen: this.#gen, sequence: this.#sequence, base: 0 });
  }
}
