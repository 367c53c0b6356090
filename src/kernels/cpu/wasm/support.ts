/** What this process can run of WebAssembly. Node.js has both since long, but on old processors and with some flags. */

export interface WasmSupport {
  readonly simd: boolean;
  readonly threads: boolean;
}

/** A module of one section after the header. */
const isValid = (...section: number[]): boolean =>
  typeof WebAssembly === 'object' &&
  WebAssembly.validate(Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...section]));

let known: WasmSupport | undefined;

export function wasmSupport(): WasmSupport {
  known ??= {
    // A function that returns a v128: (type (func (result v128))) alone needs SIMD.
    simd: isValid(0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b),
    // A shared memory of 0 to 1 pages.
    threads: isValid(0x05, 0x04, 0x01, 0x03, 0x00, 0x01),
  };
  return known;
}

/** Can generated code be used at all? */
export function hasWasm(): boolean {
  const { simd, threads } = wasmSupport();
  return simd && threads;
}
