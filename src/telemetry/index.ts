/** The public face of telemetry: what a run writes about itself, and the directory that it writes to. */
export * from './appended_file.ts';
export * from './errors.ts';
export * from './evaluation_metrics.ts';
export * from './events.ts';
export * from './metrics.ts';
export * from './routing_health.ts';
export * from './run_directory.ts';
export * from './step_metrics.ts';
