import { expect, test } from 'vitest';
import { ActorSystem, defineProtocol, tell, type Down, type Endpoint } from '../../../src/runtime/index.ts';
import { LocalTransport } from '../../../src/runtime/transport/local.ts';
import { Probe, VirtualClock } from '../../../src/runtime/testing/index.ts';
import { Counter, counterProtocol } from '../counter.ts';

/** A transport where messages can be made to arrive between two handlers, as at a thread's port. */
class PortTransport extends LocalTransport {
  readonly endpoints: Endpoint[] = [];
  readonly arrivals: (() => void)[] = [];
  readonly poll = (): void => this.arrivals.shift()?.();

  override attach(endpoint: Endpoint): void {
    super.attach(endpoint);
    this.endpoints.push(endpoint);
  }
}

test('what arrives between two handlers is taken in before the second, so control overtakes', async () => {
  const transport = new PortTransport();
  const system = new ActorSystem({ transport });
  const counter = new Counter();
  const ref = system.spawn(counterProtocol, 'counter', () => counter);
  transport.arrivals.push(
    () => undefined,
    () => ref.tell.add({ n: 3 }),
  );
  for (const n of [1, 2]) ref.tell.bulk({ n });
  await system.idle();
  expect(counter.seen).toEqual(['bulk 1', 'add 3', 'bulk 2']);
  await system.stop();
});

test('when a node is lost, asks to its actors fail and their watchers are told', async () => {
  const clock = new VirtualClock();
  const transport = new PortTransport();
  const [near, far] = ['near', 'far'].map((name) => new ActorSystem({ name, transport, clock }));
  new Probe(far, counterProtocol, 'away/probe');
  new Probe(near, counterProtocol, 'home/probe');
  const downs: Down[] = [];
  const lookout = defineProtocol('lookout', { start: tell() });
  near
    .spawn(lookout, 'lookout', (scope) => ({
      start: () => ['away/probe', 'home/probe'].forEach((address) => scope.watch({ address })),
      down: (event: Down) => void downs.push(event),
    }))
    .tell.start();
  const answer = near.ref(counterProtocol, 'away/probe').ask.get();
  const failed = expect(answer).rejects.toMatchObject({ tag: 'NoSuchActor' });
  await clock.settle();
  transport.endpoints[0].lost((address) => address.startsWith('away/'));
  await failed;
  await clock.settle();
  expect(downs).toEqual([{ address: 'away/probe', reason: 'gone', error: null }]);
  await near.stop();
  await far.stop();
});

test('actors of two systems speak over one transport', async () => {
  const transport = new LocalTransport();
  const [a, b] = ['a', 'b'].map((name) => new ActorSystem({ name, transport }));
  b.spawn(counterProtocol, 'b/counter', () => new Counter());
  const ref = a.ref(counterProtocol, 'b/counter');
  ref.tell.add({ n: 2 });
  expect(await ref.ask.get()).toBe(2);
  expect([a.counters.sent, b.counters.delivered]).toEqual([2, 2]);
  await b.stop();
  await expect(ref.ask.get()).rejects.toMatchObject({ tag: 'NoSuchActor' });
  await a.stop();
});

test('a system tells the bytes that it has sent, by transport', async () => {
  const system = new ActorSystem({ transport: new LocalTransport() });
  const ref = system.spawn(counterProtocol, 'counter', () => new Counter());
  ref.tell.add({ n: 1 });
  expect(await ref.ask.get()).toBe(1);
  expect(system.bytesSentBy()).toEqual({ local: system.counters.bytesSent });
  await system.stop();
});
