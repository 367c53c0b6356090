/**
 * The sending end of a link: cuts frames into chunks and numbers them. It holds nothing back: what becomes of the chunks
 * is for the lane to say.
 */

import { piecesBytes, type FramePieces } from './frame.ts';
import { bareChunk, ChunkField, ChunkKind, sealChunk, type LinkIdentity } from './link_chunk.ts';

const allocate = (bytes: number): Buffer => Buffer.allocUnsafe(bytes);

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

  /** Copies a frame into sealed chunks, in buffers that `take` gives. An empty frame has none. */
  cut(pieces: FramePieces, base = 0, take = allocate): Buffer[] {
    const { frame: kind } = ChunkKind;
    const frameBytes = piecesBytes(pieces);
    const chunks: Buffer[] = [];
    let piece = 0;
    let at = 0;
    for (let offset = 0; offset < frameBytes; offset += this.#payloadBytes) {
      const bytes = take(ChunkField.bytes + Math.min(frameBytes - offset, this.#payloadBytes));
      for (let to: number = ChunkField.bytes; to < bytes.length;) {
        const part = pieces[piece].subarray(at, at + bytes.length - to);
        bytes.set(part, to);
        to += part.length;
        at += part.length;
        if (at < pieces[piece].length) continue;
        piece += 1;
        at = 0;
      }
      const sequence = this.#sequence++;
      sealChunk(bytes, this.#identity, { kind, gen: this.#gen, sequence, base, frameBytes, offset });
      chunks.push(bytes);
    }
    return chunks;
  }

  /** Says how far this link has sent, so that a lost end is noticed. */
  tail(): Buffer {
    return bareChunk(this.#identity, { kind: ChunkKind.tail, gen: this.#gen, sequence: this.#sequence, base: 0 });
  }
}
