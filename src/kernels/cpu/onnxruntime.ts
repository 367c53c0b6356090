/** The native library, which sends nothing anywhere: the one place where it is imported. */
import './no_telemetry.ts';

export { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
