/**
 * Writes the WASM segments of a program: one function a segment, its parameters the addresses of the values it touches and
 * the live sizes it needs.
 */
import { ProgramError } from '../../errors.ts';
import type { Node, Value } from '../../graph.ts';
import { sameShape } from '../../shape.ts';
import { emitChain, isChainable } from './chain.ts';
import { WasmFunction } from './function.ts';
import type { Table } from '../../table.ts';
import { Kernel, type WasmOperand } from './kernel.ts';

/** A segment as a function that can be called with addresses and sizes. */
export interface WasmSegmentCode {
  readonly fn: WasmFunction;
  /** Values whose addresses it takes, in the order of its parameters. */
  readonly values: readonly Value[];
  /** Names of the live sizes that follow. */
  readonly dims: readonly string[];
}

const addressOf = (value: Value): string => `v${value.id}`;

/** The tables that generated code for this node reads; null where there is no such code. */
export function tablesOf(node: Node): readonly Table[] | null {
  if (isChainable(node)) return [];
  if (node.wasm === null) return null;
  const fn = new WasmFunction('probe', []);
  const tables: Table[] = [];
  const kernel = new Kernel(fn, (table) => tables.push(table));
  return node.wasm(kernel, operands(fn, node.inputs), operands(fn, node.outputs)) ? tables : null;
}

/** Values that never reach memory when `nodes` are emitted as one segment. */
export function valuesInside(nodes: readonly Node[], isReadLater: (value: Value) => boolean): ReadonlySet<Value> {
  const inside = new Set<Value>();
  const groups = chainsOf(nodes);
  const readers = new Map<Value, Set<readonly Node[]>>();
  for (const group of groups) {
    for (const value of group.flatMap((node) => node.inputs)) {
      const known = readers.get(value);
      if (known === undefined) readers.set(value, new Set([group]));
      else known.add(group);
    }
  }
  for (const group of groups) {
    if (group.length === 1 && !isChainable(group[0])) continue;
    const isReadByOthers = (value: Value): boolean => {
      const by = readers.get(value);
      return by !== undefined && (by.size > 1 || !by.has(group));
    };
    for (const value of group.flatMap((node) => node.outputs)) {
      if (!isReadByOthers(value) && !isReadLater(value)) inside.add(value);
    }
  }
  return inside;
}

/** The code of a segment; values in `inside` stay in registers. The function answers 1 + i when node i refuses. */
export function lowerToWasm(
  program: string,
  name: string,
  nodes: readonly Node[],
  inside: ReadonlySet<Value>,
  addressOfTable: (table: Table) => number,
): WasmSegmentCode {
  const touched = new Set(nodes.flatMap((node) => [...node.inputs, ...node.outputs]).filter((v) => !inside.has(v)));
  const dims = new Set(
    nodes.flatMap((node) =>
      [...node.inputs, ...node.outputs].flatMap(({ type }) =>
        type.shape.flatMap((dim) => (typeof dim === 'number' ? [] : [dim.name])),
      ),
    ),
  );
  const values = [...touched];
  const fn = new WasmFunction(name, [...values.map(addressOf), ...dims]);
  const at = new Map(nodes.map((node, i) => [node, i]));
  for (const group of chainsOf(nodes)) {
    const kernel = new Kernel(fn, addressOfTable, 1 + at.get(group[0])!);
    fn.comment(group.map((node) => node.op).join(', '));
    const operand = (value: Value): WasmOperand => operands(fn, [value])[0];
    if (isChainable(group[0])) {
      emitChain(kernel, group, operand, (value) => !inside.has(value));
      continue;
    }
    const [node] = group;
    if (node.wasm?.(kernel, operands(fn, node.inputs), operands(fn, node.outputs)) !== true) {
      throw new ProgramError(program, `${node.op} has no WASM lowering`);
    }
  }
  return { fn, values, dims: [...dims] };
}

/** Runs of chainable nodes of one shape; every other node alone. */
function chainsOf(nodes: readonly Node[]): readonly (readonly Node[])[] {
  const groups: Node[][] = [];
  for (const node of nodes) {
    const last = groups.at(-1);
    const joins =
      last !== undefined &&
      isChainable(node) &&
      isChainable(last[0]) &&
      sameShape(node.outputs[0].type.shape, last[0].outputs[0].type.shape);
    if (joins) last.push(node);
    else groups.push([node]);
  }
  return groups;
}

const operands = (fn: WasmFunction, values: readonly Value[]): WasmOperand[] =>
  values.map((value) => ({ address: fn.parameter(addressOf(value)), type: value.type }));
