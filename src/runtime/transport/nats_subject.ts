/**
 * The subjects of a cluster: `troupe.<cluster>.v1.<lane>.<to>.<from>`. The sender is part of them, so that a server's
 * permissions can bind it; a node listens to all that has its own name as `to`.
 */

import { InvalidNodeName } from './link_errors.ts';

export type SubjectLane = 'control' | 'data' | 'ack';

const NAME = /^[a-zA-Z0-9_-]{1,64}$/;

/** Returns `name` if it can name a node or cluster; throws `InvalidNodeName`. */
export function checkNodeName(what: 'cluster' | 'node', name: string): string {
  if (!NAME.test(name)) throw new InvalidNodeName(what, name);
  return name;
}

/** Where `from` sends what is for `to`. */
export const subjectOf = (cluster: string, lane: SubjectLane, to: string, from: string): string =>
  `troupe.${cluster}.v1.${lane}.${to}.${from}`;

/** All that comes to `to`. */
export const subjectsTo = (cluster: string, lane: SubjectLane, to: string): string => subjectOf(cluster, lane, to, '*');

/** The sender that a subject names. */
export const senderOf = (subject: string): string => subject.slice(subject.lastIndexOf('.') + 1);
