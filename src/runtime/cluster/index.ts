/** This folder has the nodes and workers of a cluster: what the floors above start and stop. */

export { enterWorker, type Cleanup, type WorkerScope, type WorkerSystemOptions } from './worker_entry.ts';
export { startWorkers, workerNames, WorkerHost, type WorkerHostOptions, type WorkerSpec } from './worker_host.ts';
export * from './worker_errors.ts';
export { compactHeap } from './compact_heap.ts';
export { enterNode, type NodeScope } from './node_entry.ts';
export { NodeProcess, type NodeProcessOptions } from './node_process.ts';
export * from './node_errors.ts';
