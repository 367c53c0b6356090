/**
 * This module has all that has to do with NATS: the transport between nodes, the server, and the records that nodes
 * share. It is apart from the rest of the runtime, so that a worker thread, which never speaks to a server, does not
 * load the client.
 */

export * from '../transport/link_errors.ts';
export { LinkCounters } from '../transport/link_counters.ts';
export { LINK_LIMITS, type LinkLimits } from '../transport/link_limits.ts';
export { NatsConnection, type NatsAddress, type NatsHooks } from '../transport/nats_connection.ts';
export { NatsLinks, type LinkEvents, type NatsLinksOptions } from '../transport/nats_links.ts';
export { NatsTransport, type NatsTransportOptions, type NodeDirectory } from '../transport/nats_transport.ts';
export { checkPort, findNatsServer, NatsServer, type NatsServerOptions } from './nats_server.ts';
export * from './nats_server_errors.ts';
export type { NatsServerNews } from './nats_guardian_port.ts';
export { endOrphan } from './nats_orphan.ts';
export type { KvEntry, KvStore } from './kv_store.ts';
export { parseRecord } from './kv_record.ts';
export { MemoryKvStore } from './memory_kv_store.ts';
export { NatsKvStore } from './nats_kv_store.ts';
export { BeatingRecord, type BeatingRecordOptions } from './beating_record.ts';
export { findBeat, findCluster, foundCluster, type FoundOptions } from './cluster_record.ts';
export { GenRegister, type Raised } from './gen_register.ts';
export { Membership, removeMember, type MembershipEvents, type MembershipOptions } from './membership.ts';
export { Registration, type RegistrationOptions } from './registration.ts';
export type { Member } from './member.ts';
export * from './membership_errors.ts';
