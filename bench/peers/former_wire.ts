/** The element types and extension types of the former packer, which packs beside msgpackr in a benchmark. */

/** Nesting of args. */
export const MAX_DEPTH = 32;

/** Tensors start at multiples of this from the start of the frame. */
export const TENSOR_ALIGN = 64;

/** MessagePack extension types. `undefined` is the one msgpackr uses. */
export const Ext = { undefined: 0, array: 0x41, ref: 0x42 } as const;

export type RawArray = Uint8Array;
export type TravellingArray = Float32Array | Int32Array | Uint32Array | Uint16Array | Uint8Array | Float64Array;

/** The element type's code on the wire; 0 if arrays of it do not travel. */
export function arrayCode(value: ArrayBufferView): number {
  if (value instanceof Float32Array) return 1;
  if (value instanceof Int32Array) return 2;
  if (value instanceof Uint32Array) return 3;
  if (value instanceof Uint16Array) return 4;
  if (value instanceof Uint8Array) return 5;
  if (value instanceof Float64Array) return 6;
  return 0;
}

const WIDTHS = [0, 4, 4, 4, 2, 1, 8];

/** Bytes of one element; 0 for an unknown code. */
export const elementBytes = (code: number): number => WIDTHS[code] ?? 0;

/** A view of `length` elements of type `code` at byte `offset` of `buffer`. */
export function arrayView(code: number, buffer: ArrayBufferLike, offset: number, length: number): TravellingArray {
  switch (code) {
    case 1:
      return new Float32Array(buffer, offset, length);
    case 2:
      return new Int32Array(buffer, offset, length);
    case 3:
      return new Uint32Array(buffer, offset, length);
    case 4:
      return new Uint16Array(buffer, offset, length);
    case 5:
      return new Uint8Array(buffer, offset, length);
    default:
      return new Float64Array(buffer, offset, length);
  }
}
