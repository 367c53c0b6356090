/** Text to code: the WebAssembly Binary Toolkit parses, checks and encodes; the engine validates once more. */
import { getCompileCacheDir } from 'node:module';
import type wabt from 'wabt';
import { AssembledModules } from './assembled.ts';
import type { WasmFunction } from './function.ts';

type Toolkit = Awaited<ReturnType<typeof wabt>>;

let toolkit: Promise<Toolkit> | undefined;

/** A module as text: functions over the memory of an arena. */
export function moduleText(functions: readonly WasmFunction[]): string {
  const sharedWithMaximum = '(memory 0 65536 shared)';
  return [
    '(module',
    `  (import "arena" "memory" ${sharedWithMaximum})`,
    ...functions.map((fn) => fn.text),
    ')',
    '',
  ].join('\n');
}

/** Throws the toolkit's message, with line and column, for a text that is no module. */
export async function assemble(name: string, text: string): Promise<WebAssembly.Module> {
  const code = await new AssembledModules(getCompileCacheDir()).codeOf(text, () => encoded(name, text));
  return new WebAssembly.Module(new Uint8Array(code));
}

async function encoded(name: string, text: string): Promise<Uint8Array> {
  toolkit ??= import('wabt').then((library) => library.default());
  const parsed = (await toolkit).parseWat(`${name}.wat`, text, { simd: true, threads: true });
  try {
    return parsed.toBinary({}).buffer;
  } finally {
    parsed.destroy();
  }
}
