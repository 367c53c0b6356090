/**
 * Element-wise ops that follow one another over one shape, as one pass: what one computes and only others of the chain read
 * stays in registers. Four elements at a time where rows are whole vectors; else one, or two where a result is packed bf16.
 */
import type { Node, Value } from '../../graph.ts';
import { maxElements, sameDim, sameShape, type Shape } from '../../shape.ts';
import type { Type } from '../../type.ts';
import type { Lowering } from '../lowering.ts';
import { sizeText, type Element } from '../pass.ts';
import { arithmeticOf, Statements, type Lanes } from './arithmetic.ts';

export const isChainable = ({ formula }: Node): boolean => formula !== null;

/** Names of buffers, by value. */
export type Names = ReadonlyMap<Value, string>;

/**
 * Computes the nodes in order; `load` gives what none of them makes. Returns the results by value, as names of `statements`.
 */
export function computeChain(
  statements: Statements,
  lanes: Lanes,
  nodes: readonly Node[],
  load: (value: Value) => string,
): ReadonlyMap<Value, string> {
  const f = arithmeticOf(statements, lanes);
  const known = new Map<Value, string>();
  const operand = (value: Value): string => {
    const name = known.get(value) ?? load(value);
    known.set(value, name);
    return name;
  };
  for (const { formula, inputs, outputs } of nodes) {
    const made = formula!(f, ...inputs.map(operand));
    // Whoever reads it out of a register reads what memory would hold.
    known.set(outputs[0], outputs[0].type.dtype === 'bf16' ? f.roundBf16(made) : made);
  }
  return known;
}

/** Emits the nodes; `stored` are the results that somebody else reads. */
export function chainPass(lowering: Lowering, nodes: readonly Node[], stored: readonly Value[]): void {
  const { shape } = nodes[0].outputs[0].type;
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const read = [...new Set(nodes.flatMap((node) => node.inputs))].filter((value) => !made.has(value));
  const label = nodes.map(({ op }) => op).join(' + ');
  const reads = named('x', read);
  const writes = named('y', stored);
  const names = new Map([...Object.entries(reads), ...Object.entries(writes)].map(([name, value]) => [value, name]));
  const isWide = isWhole(shape) && read.every((value) => patternOf(value.type.shape, shape) !== null);
  const each = { label, reads, writes };
  if (isWide) {
    const statements = new Statements();
    const results = computeChain(statements, 4, nodes, (value) =>
      statements.let(loadOf(value.type, names.get(value)!, shape, 4)),
    );
    for (const value of stored) statements.add(storeOf(value.type, names.get(value)!, results.get(value)!, 4));
    const elements = Object.fromEntries(
      [...read, ...stored].map((value) => [names.get(value)!, elementOf(value.type, shape, 4)]),
    );
    lowering.each({
      ...each,
      elements,
      over: [...shape.slice(0, -1), Number(shape.at(-1)) / 4],
      body: statements.text,
    });
    return;
  }
  const isPacked = stored.some(({ type }) => type.dtype === 'bf16');
  if (!isPacked) {
    lowering.each({ ...each, over: shape, body: narrowBody(nodes, stored, names, shape) });
    return;
  }
  lowering.each({ ...each, over: [Math.ceil(maxElements(shape) / 2)], body: pairBody(nodes, stored, names, shape) });
}

const named = (prefix: string, values: readonly Value[]): Record<string, Value> =>
  Object.fromEntries(values.map((value, i) => [`${prefix}${i}`, value]));

/** How an operand is read four at a time: element by element, one for all, one row for all rows, one number a row. */
type Pattern = 'full' | 'scalar' | 'row' | 'column';

export function patternOf(operand: Shape, whole: Shape): Pattern | null {
  if (sameShape(operand, whole)) return 'full';
  if (maxElements(operand) === 1) return 'scalar';
  const others = operand.slice(0, -1);
  if (sameDim(operand.at(-1)!, whole.at(-1)!) && others.every((dim) => dim === 1)) return 'row';
  if (operand.at(-1) === 1 && sameShape(others, whole.slice(0, -1))) return 'column';
  return null;
}

/** Are rows whole vectors? */
const isWhole = (shape: Shape): boolean => {
  const width = shape.at(-1);
  return typeof width === 'number' && width % 4 === 0 && width > 0;
};

/** How a shader sees an operand or a result of a chain over `whole`. */
export function elementOf({ dtype, shape }: Type, whole: Shape, lanes: Lanes): Element {
  const pattern = patternOf(shape, whole);
  if (lanes === 4 && (pattern === 'full' || pattern === 'row')) return dtype === 'bf16' ? 'vec2<u32>' : 'vec4<f32>';
  return dtype === 'bf16' ? 'u32' : 'f32';
}

/** What belongs to element, or vector of four, `i` of `whole`. */
export function loadOf({ dtype, shape }: Type, name: string, whole: Shape, lanes: Lanes): string {
  if (lanes === 1) return narrowLoad(dtype, name, broadcastIndex('i', shape, whole));
  const vectors = Number(whole.at(-1)) / 4;
  const pattern = patternOf(shape, whole);
  if (pattern === 'full' || pattern === 'row') {
    const vector = `${name}[${pattern === 'full' ? 'i' : `i % ${vectors}u`}]`;
    return dtype === 'bf16' ? `from_bf16x4(${vector})` : vector;
  }
  return `vec4<f32>(${narrowLoad(dtype, name, pattern === 'scalar' ? '0u' : `i / ${vectors}u`)})`;
}

/** Stores `x`; bf16 only by fours. */
export function storeOf({ dtype }: Type, name: string, x: string, lanes: Lanes): string {
  return `${name}[i] = ${dtype === 'bf16' && lanes === 4 ? `to_bf16x4(${x})` : x};`;
}

const narrowLoad = (dtype: string, name: string, at: string): string =>
  dtype === 'bf16' ? `from_bf16(${name}[(${at}) / 2u], (${at}) % 2u)` : `${name}[${at}]`;

function narrowBody(nodes: readonly Node[], stored: readonly Value[], names: Names, shape: Shape): string {
  const statements = new Statements();
  const results = computeChain(statements, 1, nodes, (value) =>
    statements.let(loadOf(value.type, names.get(value)!, shape, 1)),
  );
  for (const value of stored) statements.add(storeOf(value.type, names.get(value)!, results.get(value)!, 1));
  return statements.text;
}

/** Elements 2i and 2i + 1; what is beyond the last is taken at it, and written where nobody reads. */
function pairBody(nodes: readonly Node[], stored: readonly Value[], names: Names, shape: Shape): string {
  const count = shape.map(sizeText).join(' * ') || '1u';
  const lines = [`if (2u * i >= ${count}) { return; }`];
  const halves = ['low', 'high'].map((half, which) => {
    lines.push(`let ${half} = min(2u * i + ${which}u, ${count} - 1u);`);
    const statements = new Statements(half);
    const results = computeChain(statements, 1, nodes, (value) =>
      statements.let(narrowLoad(value.type.dtype, names.get(value)!, broadcastIndex(half, value.type.shape, shape))),
    );
    lines.push(statements.text);
    return results;
  });
  for (const value of stored) {
    const [low, high] = halves.map((results) => results.get(value)!);
    const name = names.get(value)!;
    if (value.type.dtype === 'bf16') lines.push(`${name}[i] = to_bf16x2(${low}, ${high});`);
    else lines.push(`${name}[low] = ${low}; ${name}[high] = ${high};`);
  }
  return lines.join('\n');
}

/** Where element `index` of `whole` reads an operand that broadcasts to it. */
export function broadcastIndex(index: string, operand: Shape, whole: Shape): string {
  if (sameShape(operand, whole)) return index;
  if (maxElements(operand) === 1) return '0u';
  const terms: string[] = [];
  let inner: string[] = [];
  let own = 1;
  for (let axis = whole.length - 1; axis >= 0; axis--) {
    const mine = operand[axis - whole.length + operand.length] ?? 1;
    const size = whole[axis];
    if (mine !== 1) {
      const above = inner.length === 0 ? index : `${index} / (${inner.join(' * ')})`;
      // The first axis needs no remainder, and may be dynamic.
      const coordinate = axis === 0 ? above : `${above} % ${sizeText(size)}`;
      terms.push(own === 1 ? coordinate : `(${coordinate}) * ${own}u`);
      own *= typeof mine === 'number' ? mine : mine.max;
    }
    inner = [...inner, sizeText(size)];
  }
  return terms.length === 0 ? '0u' : terms.join(' + ');
}
