/**
 * Checkpoints: tensors in safetensors shards, a manifest with their digests, and a store that makes each complete or
 * absent. Read `tensor`, `safetensors`, `manifest`, `writer`, `store`, `checkpoint`, `reader` in that
 * order; `hf_folder` is the same for a model as Hugging Face lays it out.
 */
export { openCheckpoint } from './checkpoint.ts';
export type { Checkpoint } from './checkpoint.ts';
export { nodeDisk } from './disk.ts';
export type { Disk, WritableFile } from './disk.ts';
export { BadHfFolder, BadTensor, CheckpointExists, CheckpointIo, DamagedCheckpoint, NoCheckpoint } from './errors.ts';
export { HF_CONFIG, HF_INDEX, HF_WEIGHTS, hfFolder, openHfTensors, readHfJson } from './hf_folder.ts';
export type { HfTensors, TensorFiles } from './hf_folder.ts';
export { readManifest } from './manifest.ts';
export type { Json, Manifest, ManifestFields, Shard } from './manifest.ts';
export { formatName, parseName } from './name.ts';
export type { CheckpointName } from './name.ts';
export { readTensorParts, readTensors, tensorNames } from './reader.ts';
export { isFloatDtype, roundedParts } from './rounded_parts.ts';
export type { FloatDtype } from './rounded_parts.ts';
export { SafetensorsFile, streamSafetensors, writeSafetensors } from './safetensors.ts';
export type { WrittenFile } from './safetensors.ts';
export type { SafetensorsHeader, TensorEntry } from './safetensors_header.ts';
export { CheckpointStore } from './store.ts';
export type { NewestAndOlder, NewestValid } from './store.ts';
export { byteLength, DTYPE_BYTES, elementCount, f32Tensor, float32In, float32Of, i32Tensor } from './tensor.ts';
export type { Dtype, TensorBytes, TensorHead, TensorParts } from './tensor.ts';
export { CheckpointWriter } from './writer.ts';
