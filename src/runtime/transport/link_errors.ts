/**
 * What can go wrong between nodes: on the way through NATS, and in the links that lie over it. One line each: what,
 * where, what to do.
 */

import type { Route } from '../system/envelope.ts';
import type { Lane } from '../system/protocol.ts';

/** Why a link is broken. */
export type LinkFault =
  | { readonly kind: 'gap'; readonly expected: number; readonly got: number }
  | { readonly kind: 'stall'; readonly expected: number; readonly waitedMs: number }
  | { readonly kind: 'disconnected' }
  | { readonly kind: 'too-large'; readonly bytes: number; readonly limitBytes: number }
  | { readonly kind: 'overflow'; readonly bytes: number; readonly limitBytes: number };

function describe(fault: LinkFault): string {
  switch (fault.kind) {
    case 'gap':
      return `part ${fault.expected} is missing, ${fault.got} came`;
    case 'stall':
      return `part ${fault.expected} has not come for ${Math.round(fault.waitedMs)} ms`;
    case 'disconnected':
      return 'the connection to the NATS server was lost';
    case 'too-large':
      return `a message of ${fault.bytes} bytes, the limit is ${fault.limitBytes}`;
    case 'overflow':
      return `${fault.bytes} bytes wait to be sent, the limit is ${fault.limitBytes}`;
  }
}

/**
 * What was sent over a link did not all arrive. Of data it is a report, since the run by itself runs the step again in a
 * higher gen.
 */
export class LinkBroken extends Error {
  readonly tag = 'LinkBroken';
  override readonly name = 'LinkBroken';
  readonly from: string;
  readonly to: string;
  readonly lane: Lane;
  readonly gen: number;
  readonly fault: LinkFault;
  constructor(from: string, to: string, lane: Lane, gen: number, fault: LinkFault) {
    const remedy = lane === 'control' ? '; mend the network between them, then resume' : '';
    super(`${from} → ${to}: ${lane} lost in gen ${gen}: ${describe(fault)}${remedy}`);
    this.from = from;
    this.to = to;
    this.lane = lane;
    this.gen = gen;
    this.fault = fault;
  }
}

/** A cluster or node name that cannot be part of a subject. */
export class InvalidNodeName extends Error {
  readonly tag = 'InvalidNodeName';
  override readonly name = 'InvalidNodeName';
  constructor(what: string, name: string) {
    super(`${what} '${name}': use 1 to 64 of a-z A-Z 0-9 _ -`);
  }
}

/** What is quoted may be whatever came over the wire: the beginning of it, in one line, as far as it can be printed. */
export const printable = (text: string, mostChars = 120): string =>
  text.replaceAll(/[^\x20-\x7e]+/g, '?').slice(0, mostChars);

/** No NATS server answers at the address. */
export class NatsUnreachable extends Error {
  readonly tag = 'NatsUnreachable';
  override readonly name = 'NatsUnreachable';
  /** `log`: of a server that the run has started itself. */
  constructor(url: string, cause: unknown, log?: string) {
    const detail = printable(cause instanceof Error ? cause.message : String(cause));
    const remedy =
      log === undefined
        ? 'start one there or correct cluster.nats.url'
        : `it was started for this run: see ${log}, and launch again`;
    super(`${url}: no NATS server answers (${detail}); ${remedy}`, { cause });
  }
}

/** The NATS server does not accept the token, or wants one and got none. */
export class NatsRefused extends Error {
  readonly tag = 'NatsRefused';
  override readonly name = 'NatsRefused';
  constructor(url: string, hadToken: boolean) {
    super(
      `${url}: the NATS server ${hadToken ? 'refused the token' : 'wants a token, and none was given'}; ` +
        `${hadToken ? 'correct' : 'set'} TROUPE_NATS_TOKEN or cluster.nats.token_file: ` +
        'it is the token that this server was started with',
    );
  }
}

/** Address and server do not agree on TLS, or the server's certificate is not accepted. */
export class NatsTlsRefused extends Error {
  readonly tag = 'NatsTlsRefused';
  override readonly name = 'NatsTlsRefused';
  readonly exitCode = 2;
  constructor(url: string, problem: string, remedy: string) {
    super(`${url}: ${problem}; ${remedy}`);
  }
}

/** The server takes only messages smaller than a link needs. */
export class PayloadTooSmall extends Error {
  readonly tag = 'PayloadTooSmall';
  override readonly name = 'PayloadTooSmall';
  constructor(url: string, maxPayloadBytes: number, neededBytes: number) {
    super(`${url}: max_payload is ${maxPayloadBytes} bytes; set it to at least ${neededBytes} in the server's config`);
  }
}

/** A message beyond what links carry. */
export class FrameTooLarge extends Error {
  readonly tag = 'FrameTooLarge';
  override readonly name = 'FrameTooLarge';
  constructor(to: string, bytes: number, limitBytes: number) {
    super(`link to ${to}: a message of ${bytes} bytes, where at most ${limitBytes} are taken; send less at once`);
  }
}

/** A message that says it is from an actor of somewhere else, or that came by another lane than its own. */
export class WrongSender extends Error {
  readonly tag = 'WrongSender';
  override readonly name = 'WrongSender';
  constructor(where: string, lane: Lane, route: Pick<Route, 'from' | 'lane' | 'message' | 'to'>) {
    super(
      `${where}: '${route.message}' for ${route.to} says that it is from ${route.from} by lane ${route.lane}, and came by ` +
        `lane ${lane}; refused, as all from there that others sent: see who else has the token of the cluster`,
    );
  }
}
