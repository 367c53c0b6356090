/**
 * onnxruntime reports its use to its maker, and keeps files for that among the temporary ones, unless the environment says
 * otherwise before it is loaded. To be imported before it, on the main thread: a worker's environment is a copy that
 * native code does not see.
 */
process.env.ORT_DISABLE_TELEMETRY = '1';
