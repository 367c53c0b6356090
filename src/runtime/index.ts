/**
 * The actor runtime: what the floors above may use. Read in this order: protocol (what an actor takes), actor (what it
 * is), ref (how one speaks to it), supervisor (who restarts it), system (where it lives).
 */

export * from './system/protocol.ts';
export * from './system/actor.ts';
export {
  RefIdentity,
  refSchema,
  type Addressed,
  type AskMethod,
  type AskMethods,
  type AskOptions,
  type Ref,
  type TellMethod,
  type TellMethods,
} from './system/ref.ts';
export { Reply } from './system/reply.ts';
export {
  freeAnswered,
  isTensor,
  tensorSchema,
  type TensorData,
  type TensorDtype,
  type TensorPayload,
} from './system/tensor.ts';
export { matcher, type Address, type AddressPattern } from './system/address.ts';
export * from './system/child_spec.ts';
export { SUPERVISION, type Backoff, type Strategy, type SupervisionOptions } from './system/strategies.ts';
export { supervisor, supervisorProtocol, type ChildReport } from './system/supervisor.ts';
export { ActorSystem, ASK_TIMEOUT_MS, type SystemOptions } from './system/system.ts';
export type { Validate } from './system/admission.ts';
export { SystemClock, type Clock, type Timer } from './system/clock.ts';
export type { Counters } from './system/counters.ts';
export type { DeadLetter, DeadLetterReason } from './system/dead_letters.ts';
export type { FlightEntry } from './system/flight_record.ts';
export { stderrSink, type LogFields, type Logger, type LogLevel, type LogRecord, type LogSink } from './system/log.ts';
export * from './system/errors.ts';
export type { Envelope, Kind, Route } from './system/envelope.ts';
export type { Delivery, Lease } from './system/delivery.ts';
export type { DeliveryFilter, Fault } from './system/delivery_filter.ts';
export type { Endpoint, Transport } from './system/transport_port.ts';
export { HeapFramePool, type Frame, type FramePool, type HeapFramePoolOptions } from './transport/frame.ts';
export { createLocalSystem, LocalTransport, type LocalSystemOptions } from './transport/local.ts';
export * from './transport/thread_errors.ts';
export { SLOTS, type SlotClass } from './transport/shared_slots.ts';
export type { SharedPoolOptions } from './transport/shared_pool.ts';
export { seatThreads, portsOf, type ThreadMeshOptions, type ThreadSeat } from './transport/thread_mesh.ts';
export { ThreadTransport } from './transport/thread_transport.ts';
