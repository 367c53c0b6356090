/**
 * The name of an actor, such as `run/expert-1-3`: lower-case segments joined by `/`. An address says who, never where;
 * the transport finds the place. `@name` is the outside of a system: code that asks without being an actor.
 * Patterns match addresses segment by segment: `*` within a segment, `**` for any rest.
 */

import { InvalidAddress } from './errors.ts';

export type Address = string;

const SEGMENTS = /^[a-z0-9][a-z0-9_.-]*(?:\/[a-z0-9][a-z0-9_.-]*)*$/;
const MAX_LENGTH = 200;

/** Returns `address` if it can name an actor; throws `InvalidAddress` otherwise. */
export function checkAddress(address: string): Address {
  if (address.length > MAX_LENGTH || !SEGMENTS.test(address)) throw new InvalidAddress(address);
  return address;
}

/** The address that stands for callers of system `name` that are no actors. */
export const outsideAddress = (name: string): Address => `@${name}`;

export type AddressPattern = string;

/** Compiles patterns into one test of an address; an address passes if any pattern matches it. */
export function matcher(patterns: readonly AddressPattern[]): (address: Address) => boolean {
  const tests = patterns.map(toRegExp);
  return (address) => tests.some((test) => test.test(address));
}

function toRegExp(pattern: AddressPattern): RegExp {
  const source = pattern
    .split('/')
    .map((segment) => (segment === '**' ? '.*' : segment.split('*').map(escape).join('[^/]*')))
    .join('/');
  return new RegExp(`^${source}$`);
}

const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
