import {
  INVALID_SPAN_CONTEXT,
  trace,
  type Span,
  type SpanContext,
  type SpanOptions,
  type Tracer,
} from '@opentelemetry/api';
import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import { ask, defineProtocol, type Context } from '../../../src/runtime/index.ts';
import { formatTraceparent, parseTraceparent } from '../../../src/runtime/system/tracing.ts';
import { createTestSystem } from '../../../src/runtime/testing/index.ts';

interface Recorded {
  readonly name: string;
  readonly context: SpanContext;
  readonly parent: SpanContext;
  status: string | undefined;
  isEnded: boolean;
}

/** A provider that keeps its spans; ids count up. */
function register(): Recorded[] {
  const spans: Recorded[] = [];
  const startSpan: Tracer['startSpan'] = (name, _options, context) => {
    const parent = (context === undefined ? undefined : trace.getSpanContext(context)) ?? INVALID_SPAN_CONTEXT;
    const nth = spans.length + 1;
    const traceId = parent === INVALID_SPAN_CONTEXT ? String(nth).padStart(32, 'a') : parent.traceId;
    const spanContext: SpanContext = { traceId, spanId: String(nth).padStart(16, 'b'), traceFlags: 1 };
    const recorded: Recorded = { name, context: spanContext, parent, status: undefined, isEnded: false };
    spans.push(recorded);
    const span: Span = {
      spanContext: () => spanContext,
      setAttribute: () => span,
      setAttributes: () => span,
      addEvent: () => span,
      addLink: () => span,
      addLinks: () => span,
      setStatus: ({ message }) => {
        recorded.status = message;
        return span;
      },
      updateName: () => span,
      end: () => {
        recorded.isEnded = true;
      },
      isRecording: () => true,
      recordException: () => undefined,
    };
    return span;
  };
  function startActiveSpan<F extends (span: Span) => unknown>(name: string, fn: F): ReturnType<F>;
  function startActiveSpan<F extends (span: Span) => unknown>(name: string, options: SpanOptions, fn: F): ReturnType<F>;
  function startActiveSpan(): never {
    throw new Error('not used');
  }
  trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan, startActiveSpan }) });
  return spans;
}

afterEach(() => trace.disable());

const hopProtocol = defineProtocol('hop', {
  hop: ask({ args: z.object({ to: z.string().nullable() }), reply: z.string().nullable() }),
});
const hop = {
  async hop({ to }: { to: string | null }, ctx: Context): Promise<string | null> {
    if (to === 'nowhere') throw new Error('lost');
    return to === null ? ctx.traceparent : ctx.ref(hopProtocol, to).ask.hop({ to: null });
  },
};

test('spans of handlers follow each other from actor to actor', async () => {
  const spans = register();
  const { system } = createTestSystem();
  spans.length = 0;
  for (const name of ['a', 'b']) system.spawn(hopProtocol, name, () => hop);
  const received = await system.ref(hopProtocol, 'a').ask.hop({ to: 'b' });
  await system.idle();
  expect(spans.map(({ name, isEnded }) => [name, isEnded])).toEqual([
    ['a hop', true],
    ['b hop', true],
  ]);
  expect(spans[1].parent).toEqual({ ...spans[0].context, isRemote: true });
  expect(received).toBe(formatTraceparent(spans[0].context));
  await system.stop();
});

test('the span of a handler that throws says so', async () => {
  const spans = register();
  const { system } = createTestSystem();
  spans.length = 0;
  system.spawn(hopProtocol, 'a', () => hop);
  await expect(system.ref(hopProtocol, 'a').ask.hop({ to: 'nowhere' })).rejects.toThrow('lost');
  await system.idle();
  expect(spans[0]).toMatchObject({ name: 'a hop', status: 'lost', isEnded: true });
  await system.stop();
});

test('without a provider no trace travels', async () => {
  const { system } = createTestSystem();
  system.spawn(hopProtocol, 'a', () => hop);
  expect(await system.ref(hopProtocol, 'a').ask.hop({ to: null })).toBe(null);
  await system.stop();
});

test('a traceparent is read as it was written, and nonsense is none', () => {
  const context = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 1 };
  const text = formatTraceparent(context);
  expect(text).toBe('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');
  expect(parseTraceparent(text)).toEqual({ ...context, isRemote: true });
  expect(parseTraceparent('00-0-0-01')).toBe(null);
  expect(parseTraceparent(text.replace('0af7651916cd43dd8448eb211c80319c', '0'.repeat(32)))).toBe(null);
});
