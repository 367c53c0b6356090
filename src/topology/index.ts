/** The public face of the topology: the file's schema, its parser, the mesh, placement and the plan. */
export * from './blend_weight.ts';
export * from './byte_size.ts';
export * from './capacity.ts';
export * from './checks.ts';
export * from './config_error.ts';
export * from './decay_steps.ts';
export * from './define.ts';
export * from './device_of.ts';
export * from './dump.ts';
export * from './mesh.ts';
export * from './overrides.ts';
export * from './parse.ts';
export * from './placement.ts';
export * from './reduction.ts';
export type { RowEdge } from './row_edge.ts';
export * from './schema.ts';
export * from './traffic.ts';
export type { Link, StepTraffic, Traffic, TransportName } from './traffic_ledger.ts';
