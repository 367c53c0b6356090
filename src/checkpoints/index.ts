/**
 * Checkpoints: tensors in safetensors shards, a manifest with their digests, and a store that makes each complete or
 * absent. Read `tensor`, `safetensors`, `manifest`, `writer`, `store`, `checkpoint`, `reader` in that order.
 */
export { openCheckpoint } from './checkpoint.ts';
export type { Checkpoint } from './checkpoint.ts';
export { nodeDisk } from './disk.ts';
export type { Disk, WritableFile } from './disk.ts';
export { BadTensor, CheckpointExists, CheckpointIo, DamagedCheckpoint, NoCheckpoint } from './errors.ts';
export { readManifest } from './manifest.ts';
export type { Json, Manifest, ManifestFields, Shard } from './manifest.ts';
export { formatName, parseName } from './name.ts';
export type { CheckpointName } from './name.ts';
export { readTensors, tensorNames } from './reader.ts';
export { SafetensorsFile, writeSafetensors } from './safetensors.ts';
export type { WrittenFile } from './safetensors.ts';
export type { SafetensorsHeader, TensorEntry } from './safetensors_header.ts';
export { CheckpointStore } from './store.ts';
export type { NewestAndOlder, NewestValid } from './store.ts';
export { DTYPE_BYTES, elementCount, f32Tensor, float32Of, i32Tensor } from './tensor.ts';
export type { Dtype, TensorBytes, TensorHead } from './tensor.ts';
export { CheckpointWriter } from './writer.ts';
