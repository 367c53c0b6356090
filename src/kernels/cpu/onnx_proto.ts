/**
 * The part of ONNX's protobuf schema that an in-memory model needs, and its encoder. Field numbers are those of
 * onnx.proto (IR 13); protobufjs does the wire format.
 */
import protobuf from 'protobufjs';

const field = (id: number, type: string, rule?: 'repeated') => ({ id, type, ...(rule ? { rule } : {}) });

const root = protobuf.Root.fromJSON({
  nested: {
    AttributeProto: {
      fields: {
        name: field(1, 'string'),
        f: field(2, 'float'),
        i: field(3, 'int64'),
        s: field(4, 'bytes'),
        t: field(5, 'TensorProto'),
        floats: field(7, 'float', 'repeated'),
        ints: field(8, 'int64', 'repeated'),
        type: field(20, 'int32'),
      },
    },
    NodeProto: {
      fields: {
        input: field(1, 'string', 'repeated'),
        output: field(2, 'string', 'repeated'),
        name: field(3, 'string'),
        opType: field(4, 'string'),
        attribute: field(5, 'AttributeProto', 'repeated'),
        domain: field(7, 'string'),
      },
    },
    TensorProto: {
      fields: {
        dims: field(1, 'int64', 'repeated'),
        dataType: field(2, 'int32'),
        name: field(8, 'string'),
        rawData: field(9, 'bytes'),
      },
    },
    Dimension: {
      oneofs: { value: { oneof: ['dimValue', 'dimParam'] } },
      fields: { dimValue: field(1, 'int64'), dimParam: field(2, 'string') },
    },
    TensorShapeProto: { fields: { dim: field(1, 'Dimension', 'repeated') } },
    TensorTypeProto: { fields: { elemType: field(1, 'int32'), shape: field(2, 'TensorShapeProto') } },
    SequenceTypeProto: { fields: { elemType: field(1, 'TypeProto') } },
    TypeProto: { fields: { tensorType: field(1, 'TensorTypeProto'), sequenceType: field(4, 'SequenceTypeProto') } },
    ValueInfoProto: { fields: { name: field(1, 'string'), type: field(2, 'TypeProto') } },
    GraphProto: {
      fields: {
        node: field(1, 'NodeProto', 'repeated'),
        name: field(2, 'string'),
        initializer: field(5, 'TensorProto', 'repeated'),
        input: field(11, 'ValueInfoProto', 'repeated'),
        output: field(12, 'ValueInfoProto', 'repeated'),
      },
    },
    OperatorSetIdProto: { fields: { domain: field(1, 'string'), version: field(2, 'int64') } },
    ModelProto: {
      fields: {
        irVersion: field(1, 'int64'),
        graph: field(7, 'GraphProto'),
        opsetImport: field(8, 'OperatorSetIdProto', 'repeated'),
      },
    },
  },
});

const model = root.lookupType('ModelProto');

export interface OnnxAttribute {
  name: string;
  type: number;
  f?: number;
  i?: number;
  ints?: readonly number[];
}
export interface OnnxNode {
  opType: string;
  domain: string;
  input: readonly string[];
  output: readonly string[];
  attribute: readonly OnnxAttribute[];
}
export interface OnnxTensor {
  name: string;
  dataType: number;
  dims: readonly number[];
  rawData: Uint8Array;
}
interface OnnxTensorType {
  tensorType: { elemType: number; shape: { dim: readonly ({ dimValue: number } | { dimParam: string })[] } };
}
export interface OnnxValueInfo {
  name: string;
  type: OnnxTensorType | { sequenceType: { elemType: OnnxTensorType } };
}
export interface OnnxModel {
  irVersion: number;
  opsetImport: readonly { domain: string; version: number }[];
  graph: {
    name: string;
    node: readonly OnnxNode[];
    initializer: readonly OnnxTensor[];
    input: readonly OnnxValueInfo[];
    output: readonly OnnxValueInfo[];
  };
}

/** The model as the bytes that onnxruntime loads. */
export function encodeModel(value: OnnxModel): Uint8Array {
  return model.encode(model.create({ ...value })).finish();
}
