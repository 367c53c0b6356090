/**
 * YAML as a person wrote it: text to plain values, or the first fault in it, with its place and with what to do. The
 * parser's own words are for those who know YAML's grammar; a remedy is added to those that a slip leads to.
 */
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, visit, YAMLMap } from 'yaml';

/** What is no YAML, and the offset in the text where that shows. */
export interface YamlFault {
  readonly offset: number;
  readonly fault: string;
}

export interface YamlValues {
  readonly document: Document;
  readonly lines: LineCounter;
  readonly root: unknown;
}

/** Reads a document. `lines` is filled where it is given, also where there is a fault. */
export function readYaml(text: string, lines = new LineCounter()): YamlValues | YamlFault {
  // Anything worth a warning would otherwise be printed, or read as something else than what was meant.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true, logLevel: 'error' });
  for (const { code, message, pos } of [...document.errors, ...document.warnings]) {
    return { offset: pos[0], fault: withRemedy(code, message, text.slice(pos[0])) };
  }
  const loose = looseReference(document);
  if (loose !== null) return loose;
  try {
    const root: unknown = document.toJS();
    return { document, lines, root };
  } catch (error) {
    // The parser refuses aliases that would expand without bound.
    return { offset: 0, fault: error instanceof Error ? error.message : String(error) };
  }
}

/** The first alias without an anchor, or merge key that is given something else than a mapping. */
function looseReference(document: Document): YamlFault | null {
  let found: YamlFault | null = null;
  visit(document, {
    Alias: (_key, alias) => {
      if (alias.resolve(document) !== undefined) return;
      const fault = `the alias *${alias.source} has no anchor &${alias.source} before it`;
      found ??= { offset: alias.range?.[0] ?? 0, fault };
    },
    Pair: (_key, { key, value }) => {
      if (!isScalar(key) || key.source !== '<<') return;
      // An alias without an anchor is reported when it is visited itself.
      const sources = (isSeq(value) ? value.items : [value]).map((node) =>
        isAlias(node) ? (node.resolve(document) ?? new YAMLMap()) : node,
      );
      if (sources.every(isMap)) return;
      found ??= { offset: key.range?.[0] ?? 0, fault: 'a merge key << takes a mapping, such as *name of one' };
    },
  });
  return found;
}

/** `rest` is the text from where the fault shows. */
function withRemedy(code: string, message: string, rest: string): string {
  switch (code) {
    case 'DUPLICATE_KEY':
      return `the key ${/^("[^"]*"|'[^']*'|[^\s:]+)/.exec(rest)?.[0] ?? ''} is there twice in one mapping; remove one`;
    case 'MULTIPLE_DOCS':
      return 'a second document begins here; a file holds one, so remove the line ---';
    case 'TAB_AS_INDENT':
      return `${message}; use spaces`;
    case 'BLOCK_AS_IMPLICIT_KEY':
    case 'MULTILINE_IMPLICIT_KEY':
      return `${message}; begin each key below its neighbours, and put quotes around text with a colon`;
    case 'BLOCK_IN_FLOW':
      return `${message}; put a comma between keys, and quotes around text with a colon`;
    case 'BAD_SCALAR_START':
      return `${message}; put quotes around it`;
    default:
      return message;
  }
}
