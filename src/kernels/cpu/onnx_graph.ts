/**
 * Collects ONNX nodes while ops lower themselves. Names are strings; `op` makes one node and returns its outputs.
 * Constants here are small structure (shapes, axes, masks), never weights: a weight as an initializer is prepacked and
 * gives other bits than the same weight as an input.
 */
import { encodeModel, type OnnxAttribute, type OnnxNode, type OnnxTensor, type OnnxValueInfo } from './onnx_proto.ts';
import type { DType } from '../dtype.ts';
import type { Type } from '../type.ts';

/** ONNX element type codes. bf16 crosses a session's border as its bits in uint16. */
export const onnxType = { f32: 1, i32: 6, u32: 12, bf16: 4, i64: 7, bool: 9, bfloat16: 16 } as const;

/** The name of every model's first output, an empty sequence: see `session.ts` for what it is there for. */
export const NOT_COPIED = 'not_copied';

type AttributeValue = number | readonly number[] | { readonly float: number };

export class OnnxGraph {
  private readonly nodes: OnnxNode[] = [];
  /** Bytes are made with the model: a graph that is only tried, to see whether an op can be lowered, needs none. */
  private readonly initializers: LazyTensor[] = [];
  private readonly constants = new Map<string, string>();
  private readonly prefix: string;
  private count = 0;

  constructor(prefix = 't') {
    this.prefix = prefix;
  }

  /** Adds one node with `outputs` results and returns their names. Integers become ints; `{ float }` a float. */
  op(
    opType: string,
    inputs: readonly string[],
    attributes: Record<string, AttributeValue> = {},
    outputs = 1,
  ): string[] {
    const output = Array.from({ length: outputs }, () => this.fresh());
    const domain = opType === 'FusedMatMul' ? 'com.microsoft' : '';
    this.nodes.push({
      opType,
      domain,
      input: inputs,
      output,
      attribute: Object.entries(attributes).map(encodeAttribute),
    });
    return output;
  }

  /** A node with one result. */
  one(opType: string, inputs: readonly string[], attributes: Record<string, AttributeValue> = {}): string {
    return this.op(opType, inputs, attributes)[0];
  }

  /** A constant vector (or scalar, with no dims) of 64-bit integers: shapes, axes, indices. */
  int64(values: readonly number[], dims: readonly number[] = [values.length]): string {
    return this.constantOf('i64', onnxType.i64, dims, new BigInt64Array(values.map(BigInt)));
  }

  int32(values: readonly number[], dims: readonly number[] = [values.length]): string {
    return this.constantOf('i32', onnxType.i32, dims, new Int32Array(values));
  }

  /** The constant 0, 1, 2 … of so many 32-bit integers. */
  indices(length: number): string {
    const make = () => bytesOf(Int32Array.from({ length }, (_, i) => i));
    return this.constant(`indices:${length}`, { dataType: onnxType.i32, dims: [length], make });
  }

  float32(values: Float32Array | readonly number[], dims: readonly number[] = [values.length]): string {
    return this.constantOf('f32', onnxType.f32, dims, new Float32Array(values));
  }

  /** The model with the given inputs and outputs (by name and type), as bytes for onnxruntime. */
  model(name: string, inputs: readonly NamedType[], outputs: readonly NamedType[]): Uint8Array {
    return encodeModel({
      irVersion: 13,
      opsetImport: [
        { domain: '', version: 26 },
        { domain: 'com.microsoft', version: 1 },
      ],
      graph: {
        name,
        node: [{ opType: 'SequenceEmpty', domain: '', input: [], output: [NOT_COPIED], attribute: [] }, ...this.nodes],
        initializer: this.initializers.map(({ make, ...tensor }): OnnxTensor => ({ ...tensor, rawData: make() })),
        input: inputs.map(valueInfo),
        output: [notCopied, ...outputs.map(valueInfo)],
      },
    });
  }

  /** The graph as text, one node a line, for whoever debugs it. */
  show(inputs: readonly { readonly name: string }[], outputs: readonly { readonly name: string }[]): string {
    const names = (list: readonly { readonly name: string }[]): string => list.map(({ name }) => name).join(', ');
    return [
      `inputs ${names(inputs)}`,
      ...this.initializers.map(({ name, dims }) => `${name} = constant [${dims.join(', ')}]`),
      ...this.nodes.map(({ opType, input, output, attribute }) => {
        const attributes = attribute.map(({ name, i, f, ints }) => ` ${name}=${i ?? f ?? ints?.join(',') ?? ''}`);
        return `${output.join(', ')} = ${opType}(${input.join(', ')})${attributes.join('')}`;
      }),
      `outputs ${names(outputs)}`,
      '',
    ].join('\n');
  }

  private constantOf(kind: string, dataType: number, dims: readonly number[], data: ArrayBufferView): string {
    const rawData = bytesOf(data);
    const key = `${kind}:${dims.join(',')}:${Buffer.from(rawData).toString('base64')}`;
    return this.constant(key, { dataType, dims, make: () => rawData });
  }

  /** A constant once for a key. */
  private constant(key: string, tensor: Omit<LazyTensor, 'name'>): string {
    const known = this.constants.get(key);
    if (known !== undefined) return known;
    const name = this.fresh();
    this.initializers.push({ name, ...tensor });
    this.constants.set(key, name);
    return name;
  }

  private fresh(): string {
    return `${this.prefix}${this.count++}`;
  }
}

interface LazyTensor extends Omit<OnnxTensor, 'rawData'> {
  readonly make: () => Uint8Array;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

export interface NamedType {
  readonly name: string;
  readonly type: Type;
}

function encodeAttribute([name, value]: [string, AttributeValue]): OnnxAttribute {
  if (typeof value === 'number') return { name, type: 2, i: value };
  if ('float' in value) return { name, type: 1, f: value.float };
  return { name, type: 7, ints: value };
}

const notCopied: OnnxValueInfo = {
  name: NOT_COPIED,
  type: { sequenceType: { elemType: { tensorType: { elemType: onnxType.f32, shape: { dim: [] } } } } },
};

function valueInfo({ name, type }: NamedType): OnnxValueInfo {
  const elemType: Record<DType, number> = onnxType;
  const dim = type.shape.map((d) => (typeof d === 'number' ? { dimValue: d } : { dimParam: d.name }));
  return { name, type: { tensorType: { elemType: elemType[type.dtype], shape: { dim } } } };
}
