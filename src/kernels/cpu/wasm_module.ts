/**
 * A WebAssembly module with one function over the arena's shared memory, from its instructions: just enough of the binary
 * format for a loop of four-lane float arithmetic. The same operations in the same order give the bits of JavaScript
 * that rounds each result with `Math.fround`, since double rounding of one operation changes nothing.
 */

/** Instructions as bytes. Operands stand before the operation, as on the stack. */
export type Code = readonly number[];
export type ValueType = 'i32' | 'f32' | 'v128';

const typeCode: Record<ValueType, number> = { i32: 0x7f, f32: 0x7d, v128: 0x7b };

/** Unsigned LEB128. */
function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
}

const vector = (opcode: number): number[] => [0xfd, ...leb(opcode)];
const binary =
  (opcode: number) =>
  (a: Code, b: Code): Code => [...a, ...b, ...vector(opcode)];

export const get = (local: number): Code => [0x20, ...leb(local)];
export const set = (local: number, value: Code): Code => [...value, 0x21, ...leb(local)];
/** Four floats at an address aligned to 16 bytes. */
export const load = (address: Code): Code => [...address, ...vector(0x00), 4, 0];
export const store = (address: Code, value: Code): Code => [...address, ...value, ...vector(0x0b), 4, 0];
export const splat = (value: Code): Code => [...value, ...vector(0x13)];
export const sqrt = (value: Code): Code => [...value, ...vector(0xe3)];
export const add = binary(0xe4);
export const sub = binary(0xe5);
export const mul = binary(0xe6);
export const div = binary(0xe7);
/** Advances an address by `bytes` (below 64). */
export const advance = (local: number, bytes: number): Code => [...get(local), 0x41, bytes, 0x6a, 0x21, ...leb(local)];

/** Repeats `body` while address `local` is below address `end`. */
export function whileBelow(local: number, end: number, body: Code): Code {
  const [block, loop, empty, stop] = [0x02, 0x03, 0x40, 0x0b];
  const leave = [...get(local), ...get(end), 0x4f, 0x0d, 1];
  return [block, empty, loop, empty, ...leave, ...body, 0x0c, 0, stop, stop];
}

/** The module exporting `run(params)`; its memory comes from the arena. Locals follow the parameters in number. */
export function wasmModule(params: readonly ValueType[], locals: readonly ValueType[], body: Code): WebAssembly.Module {
  const section = (id: number, content: Code): number[] => [id, ...leb(content.length), ...content];
  const name = (text: string): number[] => [text.length, ...Buffer.from(text, 'latin1')];
  const types = (list: readonly ValueType[]) => list.map((type) => typeCode[type]);
  const declared = types(locals).flatMap((code) => [1, code]);
  const code = [...leb(locals.length), ...declared, ...body, 0x0b];
  const [sharedWithMaximum, mostPages] = [0x03, 65536];
  return new WebAssembly.Module(
    Uint8Array.from([
      ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(1, [1, 0x60, ...leb(params.length), ...types(params), 0]),
      ...section(2, [1, ...name('arena'), ...name('memory'), 0x02, sharedWithMaximum, 0, ...leb(mostPages)]),
      ...section(3, [1, 0]),
      ...section(7, [1, ...name('run'), 0x00, 0]),
      ...section(10, [1, ...leb(code.length), ...code]),
    ]),
  );
}
