/**
 * A Jinja template as `transformers` runs it: parsed by `@huggingface/jinja`, with the meaning that Python's Jinja gives
 * it. Compiled once; rendering it has no effect but its text and the spans of the assistant's turns.
 */
import { Template as Parser } from '@huggingface/jinja';
import { globals } from './globals.ts';
import { children, nodeOf } from './node.ts';
import { Output, Scope, type Span } from './scope.ts';
import { respelled } from './spelling.ts';
import { block } from './statement.ts';
import type { Statement } from './target.ts';
import { TemplateFault, valueOf } from './value.ts';

export interface Rendered {
  readonly text: string;
  /** What `{% generation %}` marks, in UTF-16 units of `text`. */
  readonly generations: readonly Span[];
}

export class Template {
  readonly #body: Statement;
  readonly #date: Date | undefined;

  /** `date` is what `strftime_now` writes. Throws `TemplateFault` for what cannot be parsed or is not supported. */
  constructor(source: string, date?: Date) {
    this.#body = block(children(nodeOf(parsed(respelled(source))), 'body'));
    this.#date = date;
  }

  /** Throws `TemplateFault` with what the template raises. */
  render(variables: Readonly<Record<string, unknown>>): Rendered {
    const scope = new Scope(globals(this.#date));
    for (const [name, value] of Object.entries(variables)) scope.set(name, valueOf(value));
    const output = new Output();
    try {
      this.#body(scope, output);
    } catch (cause) {
      // Recursion without end is the template's fault, too.
      throw cause instanceof RangeError ? new TemplateFault(cause.message) : cause;
    }
    return { text: output.text, generations: output.generations };
  }
}

function parsed(source: string): unknown {
  try {
    const tree: unknown = new Parser(source).parsed;
    return tree;
  } catch (cause) {
    throw new TemplateFault(`it cannot be parsed: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}
