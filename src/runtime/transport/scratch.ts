/**
 * The bytes in which a frame without tensors is put together. They grow, and are used again for the next frame.
 */

const MAX_LOOP_BYTES = 96;

export class Scratch {
  /** A `Buffer`, from which msgpackr reads short texts faster. Zero where nothing was written yet. */
  bytes: Buffer<ArrayBuffer>;
  view: DataView<ArrayBuffer>;
  /** Where the next byte goes; set it to start anew. */
  position = 0;

  constructor(initialBytes = 64 * 1024) {
    this.bytes = zeros(initialBytes);
    this.view = new DataView(this.bytes.buffer);
  }

  append(piece: Uint8Array): void {
    const end = this.position + piece.length;
    if (end > this.bytes.length) this.#grow(end);
    this.bytes.set(piece, this.position);
    this.position = end;
  }

  /** Appends `piece[start, end)`: of a few bytes a loop costs less than a view. */
  appendRange(piece: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length > MAX_LOOP_BYTES) return this.append(piece.subarray(start, end));
    if (this.position + length > this.bytes.length) this.#grow(this.position + length);
    const { bytes, position } = this;
    for (let i = 0; i < length; i++) bytes[position + i] = piece[start + i];
    this.position = position + length;
  }

  #grow(wanted: number): void {
    const bytes = zeros(Math.max(2 * this.bytes.length, wanted));
    bytes.set(this.bytes);
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }
}

const zeros = (bytes: number): Buffer<ArrayBuffer> => Buffer.from(new ArrayBuffer(bytes));
