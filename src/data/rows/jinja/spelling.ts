/**
 * A template's source in the spelling that the parser of `@huggingface/jinja` 0.5.11 understands. That parser drops the
 * marks of the assistant's turns and knows neither `with` nor tests with arguments, nor empty tuples, nor chained
 * comparisons; each is respelled as a call of a name that begins with `troupe_`, to which the compiler gives its meaning.
 */
import { segmentsOf } from './source.ts';
import { quotedText, tokensOf, written, type Token } from './tokens.ts';
import { TemplateFault } from './value.ts';

/** Source without white space control and without text outside of tags. Throws `TemplateFault` with the line. */
export function respelled(template: string): string {
  const parts = segmentsOf(template).map((segment) => {
    if (segment.kind === 'text') return `{{ ${quotedText(segment.text)} }}`;
    try {
      const tokens = tokensOf(segment.code);
      if (segment.kind === 'output') return `{{ ${written(expression(tokens))} }}`;
      return `{% ${written(statement(tokens))} %}`;
    } catch (cause) {
      if (!(cause instanceof TemplateFault)) throw cause;
      throw new TemplateFault(`line ${segment.line}: ${cause.message}`);
    }
  });
  return parts.join('');
}

const PLAIN = [
  'set',
  'endset',
  'if',
  'elif',
  'else',
  'endif',
  'macro',
  'endmacro',
  'endfor',
  'call',
  'endcall',
  'break',
  'continue',
  'filter',
  'endfilter',
];

function statement(tokens: readonly Token[]): Token[] {
  const [head, ...rest] = tokens;
  const word = head?.text ?? '';
  if (word === 'generation') return tokensOf('call troupe_generation()');
  if (word === 'endgeneration' || word === 'endwith') return tokensOf('endcall');
  if (word === 'with') return [...tokensOf('call('), ...expression(rest), ...tokensOf(') troupe_with()')];
  if (word === 'for') return loop(rest);
  if (!PLAIN.includes(word)) throw new TemplateFault(`unknown statement ${JSON.stringify(word)}`);
  return [head, ...expression(rest)];
}

/** `for TARGET in ITEMS [if TEST] [recursive]`. */
function loop(tokens: readonly Token[]): Token[] {
  const isRecursive = tokens.at(-1)?.text === 'recursive';
  const body = isRecursive ? tokens.slice(0, -1) : tokens;
  const start = body.findIndex(({ kind, text }) => kind === 'name' && text === 'in');
  const items = body.slice(start + 1);
  const condition = outside(items, 'if');
  const source = expression(condition < 0 ? items : items.slice(0, condition));
  const test = condition < 0 ? [] : [items[condition], ...expression(items.slice(condition + 1))];
  const called = isRecursive ? [...tokensOf('troupe_recursive('), ...source, ...tokensOf(')')] : source;
  return [{ kind: 'name', text: 'for' }, ...body.slice(0, start + 1), ...called, ...test];
}

/** Where a word stands outside of brackets, or −1. */
function outside(tokens: readonly Token[], word: string): number {
  let depth = 0;
  return tokens.findIndex(({ kind, text }) => {
    depth += bracketStep(kind, text);
    return depth === 0 && kind === 'name' && text === word;
  });
}

function bracketStep(kind: string, text: string): number {
  if (kind !== 'operator') return 0;
  return '([{'.includes(text) ? 1 : ')]}'.includes(text) ? -1 : 0;
}

const expression = (tokens: readonly Token[]): Token[] => chained(tests(tuples(tokens)));

const KEYWORDS = new Set(['and', 'or', 'not', 'if', 'else', 'in', 'is']);
const isWord = (token: Token | undefined, ...words: string[]): boolean =>
  token?.kind === 'name' && words.includes(token.text);
const isSign = (token: Token | undefined, ...signs: string[]): boolean =>
  token?.kind === 'operator' && signs.includes(token.text);

/** Whether a bracket after this token calls or indexes it. */
function isOperand(token: Token | undefined): boolean {
  if (token === undefined) return false;
  if (token.kind === 'name') return !KEYWORDS.has(token.text);
  return token.kind === 'text' || isSign(token, ')', ']', '}');
}

/** `()` and `(x,)`. */
function tuples(tokens: readonly Token[]): Token[] {
  const result: Token[] = [];
  const open: number[] = [];
  for (const token of tokens) {
    if (isSign(token, '(')) open.push(isOperand(result.at(-1)) ? -1 : result.length);
    if (isSign(token, ')')) {
      const start = open.pop() ?? -1;
      const isEmpty = start >= 0 && start === result.length - 1;
      const isShort = start >= 0 && isSign(result.at(-1), ',');
      if (isShort) result.pop();
      if (isEmpty || isShort) result.splice(start, 0, { kind: 'name', text: 'troupe_tuple' });
    }
    result.push(token);
  }
  return result;
}

/** `x is [not] NAME ARGUMENT` as a filter, which binds as tightly. */
function tests(tokens: readonly Token[]): Token[] {
  const result: Token[] = [];
  for (let at = 0; at < tokens.length; at += 1) {
    const isNegated = isWord(tokens[at + 1], 'not');
    const name = tokens[at + (isNegated ? 2 : 1)];
    const begin = at + (isNegated ? 3 : 2);
    const end = isWord(tokens[at], 'is') && name?.kind === 'name' ? argumentEnd(tokens, begin) : begin;
    if (end <= begin) {
      result.push(tokens[at]);
      continue;
    }
    const given = tests(tokens.slice(begin, end));
    const inside = isSign(given[0], '(') && end === groupEnd(tokens, begin) ? given.slice(1, -1) : given;
    result.push(...tokensOf(`| troupe_is_${isNegated ? 'not_' : ''}${name.text}(`), ...inside, ...tokensOf(')'));
    at = end - 1;
  }
  return result;
}

/** Behind the argument of a test: a bracket, a literal or a name, with what is called or looked up in it. */
function argumentEnd(tokens: readonly Token[], begin: number): number {
  const first = tokens[begin];
  const isArgument =
    isSign(first, '(', '[', '{') ||
    first?.kind === 'text' ||
    first?.kind === 'number' ||
    (first?.kind === 'name' && !KEYWORDS.has(first.text));
  if (!isArgument) return begin;
  let end = groupEnd(tokens, begin);
  if (isSign(first, '(')) return end;
  for (;;) {
    if (isSign(tokens[end], '.')) end += 2;
    else if (isSign(tokens[end], '(', '[')) end = groupEnd(tokens, end);
    else return end;
  }
}

/** Behind the token, or behind the bracket that it opens. */
function groupEnd(tokens: readonly Token[], begin: number): number {
  let depth = 0;
  for (let at = begin; at < tokens.length; at += 1) {
    depth += bracketStep(tokens[at].kind, tokens[at].text);
    if (depth <= 0) return at + 1;
  }
  return tokens.length;
}

/** `a < b < c` as `(a < b and b < c)`. */
function chained(tokens: readonly Token[]): Token[] {
  const result: Token[] = [];
  let operands: Token[][] = [[]];
  let operators: Token[][] = [];
  const flush = (): void => {
    if (operators.length < 2)
      operands.forEach((operand, index) => result.push(...operand, ...(operators[index] ?? [])));
    else {
      const pairs = operators.map((operator, index) => [...operands[index], ...operator, ...operands[index + 1]]);
      result.push(
        ...tokensOf('('),
        ...pairs.flatMap((pair, index) => (index === 0 ? pair : [{ kind: 'name' as const, text: 'and' }, ...pair])),
        ...tokensOf(')'),
      );
    }
    operands = [[]];
    operators = [];
  };
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at];
    const operand = operands.at(-1)!;
    const isNotIn = isWord(token, 'not') && isWord(tokens[at + 1], 'in');
    if (isSign(token, '==', '!=', '<', '>', '<=', '>=') || isWord(token, 'in') || isNotIn) {
      operators.push(isNotIn ? [token, tokens[at + 1]] : [token]);
      operands.push([]);
      if (isNotIn) at += 1;
    } else if (isSign(token, '(', '[', '{')) {
      const end = groupEnd(tokens, at);
      operand.push(token, ...chained(tokens.slice(at + 1, end - 1)), tokens[end - 1]);
      at = end - 1;
    } else if (isSign(token, ',', '=', ':') || isWord(token, 'and', 'or', 'not', 'if', 'else')) {
      const isNegatedTest = isWord(token, 'not') && isWord(tokens[at - 1], 'is');
      if (isNegatedTest) operand.push(token);
      else {
        flush();
        result.push(token);
      }
    } else operand.push(token);
  }
  flush();
  return result;
}
