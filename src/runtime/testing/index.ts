/**
 * The public test kit: virtual time, planned faults, probes, and a system that checks everything it can.
 */

export { VirtualClock } from './virtual_clock.ts';
export { FaultPlan, type FaultEvent, type FaultRule } from './fault_plan.ts';
export { Probe, type ProbeOptions, type Recorded } from './probe.ts';
export { mix, unit } from './random.ts';
export { createTestSystem, type TestSystem, type TestSystemOptions } from './test_system.ts';
