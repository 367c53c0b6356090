/**
 * Shaders of the owners of a group: the same statements for each, over its own part of every buffer. Where the part
 * begins is found on the device; statements stay as they were written, but that each index counts from there.
 */

/** `code` with every index into one of `buffers` counted from its origin, a member of `origin`. */
export function fromOrigins(code: string, buffers: readonly string[], origin = 'origin'): string {
  const opening = new RegExp(`\\b(${buffers.join('|')})\\[`, 'g');
  let text = '';
  let at = 0;
  for (let found = opening.exec(code); found !== null; found = opening.exec(code)) {
    const start = opening.lastIndex;
    const end = closing(code, start);
    const index = fromOrigins(code.slice(start, end), buffers, origin);
    text += `${code.slice(at, start)}${origin}.${found[1]} + u32(${index})`;
    at = end;
    opening.lastIndex = end;
  }
  return text + code.slice(at);
}

/**
 * Functions beside the entry point do not see its constants, and read copies of them: variables, which WGSL lets no barrier
 * depend on.
 */
export const privateName = (name: string): string => `${name}_of_owner`;

/** Functions that are called by a shader of owners, see `privateName`. */
export const functionsOfOwner = (code: string, buffers: readonly string[]): string =>
  fromOrigins(code, buffers, privateName('origin')).replaceAll(/\blive\./g, `${privateName('live')}.`);

/** Where the bracket that was opened before `start` closes. */
function closing(code: string, start: number): number {
  let depth = 1;
  for (let at = start; at < code.length; at++) {
    if (code[at] === '[') depth++;
    if (code[at] === ']' && --depth === 0) return at;
  }
  throw new SyntaxError(`a bracket is not closed: ${code.slice(start, start + 40)}`);
}
