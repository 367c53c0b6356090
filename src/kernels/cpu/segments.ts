/**
 * Makes the segments of a planned program runnable: an ONNX segment becomes a session and the lists of values it reads
 * and writes, a WASM segment a function over the device's memory, a host segment stays a list of nodes.
 */
import { ProgramError } from '../errors.ts';
import type { Node, Value } from '../graph.ts';
import type { Program } from '../program.ts';
import { dumpOf, type Dump } from '../dump.ts';
import { OnnxGraph } from './onnx_graph.ts';
import type { PlannedSegment } from './partition.ts';
import { createSession, type Session } from './session.ts';
import { assemble, moduleText } from './wasm/assemble.ts';
import { showSplit } from './show_split.ts';
import type { Table } from '../table.ts';
import { lowerToWasm } from './wasm/lower.ts';

interface NamedValue {
  readonly name: string;
  readonly value: Value;
}

export interface OnnxSegment {
  readonly kind: 'onnx';
  readonly session: Session;
  readonly inputs: readonly NamedValue[];
  readonly outputs: readonly NamedValue[];
}
export interface WasmSegment {
  readonly kind: 'wasm';
  readonly nodes: readonly Node[];
  /** Takes the addresses of `values`, then the live sizes `dims`; answers 0, or 1 + i when node i refuses. */
  readonly call: (...addressesAndSizes: number[]) => number;
  readonly values: readonly Value[];
  readonly dims: readonly string[];
}
export interface HostSegment {
  readonly kind: 'host';
  readonly nodes: readonly Node[];
}
export type RunnableSegment = OnnxSegment | WasmSegment | HostSegment;

/** What WASM segments work on. */
export interface WasmGround {
  /** The arena's; null where the process has no shared memory for WebAssembly, and so no such segments. */
  readonly memory: WebAssembly.Memory | null;
  /** Where in it a table lies. */
  readonly addressOf: (table: Table) => number;
}

/** What is made is written to `dump`, too. */
export async function makeRunnable(
  program: Program,
  segments: readonly PlannedSegment[],
  { memory, addressOf }: WasmGround,
  dump: Dump = dumpOf(program),
): Promise<RunnableSegment[]> {
  dump('.txt', showSplit(program, segments));
  const codes = new Map(
    segments.flatMap((segment, at) =>
      segment.kind === 'wasm'
        ? [[segment, lowerToWasm(program.name, `segment${at}`, segment.nodes, segment.inside, addressOf)] as const]
        : [],
    ),
  );
  const text = moduleText([...codes.values()].map(({ fn }) => fn));
  if (codes.size > 0) dump('.wat', text);
  const functions = codes.size === 0 ? {} : await instantiate(program.name, text, memory);
  const runnable: RunnableSegment[] = [];
  for (const [at, segment] of segments.entries()) {
    const code = codes.get(segment);
    if (code !== undefined) {
      const { fn, values, dims } = code;
      runnable.push({ kind: 'wasm', nodes: segment.nodes, call: functions[fn.name], values, dims });
    } else if (segment.kind === 'onnx')
      runnable.push(await onnxSegment(program, segment, (kind, file) => dump(`.${at}${kind}`, file)));
    else runnable.push({ kind: 'host', nodes: segment.nodes });
  }
  return runnable;
}

async function instantiate(program: string, text: string, memory: WebAssembly.Memory | null) {
  if (memory === null) throw new ProgramError(program, 'generated code needs a shared memory');
  return new WebAssembly.Instance(await assemble(program, text), { arena: { memory } }).exports;
}

async function onnxSegment(program: Program, { nodes, inside }: PlannedSegment, dump: Dump): Promise<OnnxSegment> {
  const graph = new OnnxGraph();
  const names = new Map<Value, string>();
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const read = new Set(nodes.flatMap((node) => node.inputs).filter((v) => !made.has(v)));
  const inputs = [...read].map((value) => ({ name: `v${value.id}`, value }));
  inputs.forEach(({ name, value }) => names.set(value, name));
  for (const node of nodes) {
    const outputs =
      node.onnx?.(
        graph,
        node.inputs.map((v) => names.get(v)!),
      ) ?? null;
    if (outputs === null) throw new ProgramError(program.name, `${node.op} has no ONNX lowering`);
    node.outputs.forEach((value, i) => names.set(value, outputs[i]));
  }
  // A graph output is never an input, and never the same name twice.
  const taken = new Set(inputs.map(({ name }) => name));
  const outputs = [...made]
    .filter((value) => !inside.has(value))
    .map((value) => {
      const known = names.get(value)!;
      const name = taken.has(known) ? graph.one('Identity', [known]) : known;
      taken.add(name);
      return { name, value };
    });
  const typed = (list: readonly NamedValue[]) => list.map(({ name, value }) => ({ name, type: value.type }));
  const model = graph.model(program.name, typed(inputs), typed(outputs));
  dump('.onnx', model);
  dump('.onnx.txt', graph.show(inputs, outputs));
  const session = await createSession(model);
  return { kind: 'onnx', session, inputs, outputs };
}
