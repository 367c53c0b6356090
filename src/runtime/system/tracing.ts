/**
 * Spans around handlers, when somebody has registered an OpenTelemetry provider; looked up once, so that a system
 * without one pays nothing. The trace context travels in the envelope as a W3C traceparent.
 */

import {
  isSpanContextValid,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Span,
  type SpanContext,
  type Tracer,
} from '@opentelemetry/api';
import type { Delivery } from './delivery.ts';
import { describeError } from './errors.ts';

const TRACER = 'troupe';

export class Tracing {
  readonly #tracer: Tracer;

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  /** Tracing by the registered provider, or null if there is none. */
  static detect(): Tracing | null {
    const tracer = trace.getTracer(TRACER);
    // Without a provider spans have no identity. This one is never ended, hence never exported.
    const span = tracer.startSpan('detect', { root: true });
    return isSpanContextValid(span.spanContext()) ? new Tracing(tracer) : null;
  }

  /** Starts the span of one handler, child of the sender's. */
  start({ route, id, traceparent }: Delivery): Span {
    const remote = traceparent === null ? null : parseTraceparent(traceparent);
    const parent = remote === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, remote);
    const attributes = { 'actor.to': route.to, 'actor.from': route.from, 'actor.message_id': id };
    return this.#tracer.startSpan(`${route.to} ${route.message}`, { kind: SpanKind.CONSUMER, attributes }, parent);
  }

  end(span: Span, error: unknown): void {
    if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: describeError(error) });
    span.end();
  }
}

/** `00-<trace>-<span>-<flags>`, https://www.w3.org/TR/trace-context/ §3.2. */
export function formatTraceparent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

/** The remote parent that `traceparent` names, or null if it names none. */
export function parseTraceparent(traceparent: string): SpanContext | null {
  const match = TRACEPARENT.exec(traceparent);
  if (match === null) return null;
  const context = { traceId: match[1], spanId: match[2], traceFlags: parseInt(match[3], 16), isRemote: true };
  return isSpanContextValid(context) ? context : null;
}
