import { afterEach, expect, test } from 'vitest';
import {
  agentAddress,
  checkpointerAddress,
  expertAddress,
  stageAddress,
  trainerAddress,
} from '../../src/actors/placement/addresses.ts';
import { eventLogProtocol } from '../../src/actors/protocol/event_log.ts';
import { expertGroupProtocol, expertProtocol } from '../../src/actors/protocol/expert.ts';
import { recoveryProtocol } from '../../src/actors/protocol/recovery.ts';
import { routerProtocol } from '../../src/actors/protocol/router.ts';
import { stageProtocol } from '../../src/actors/protocol/stage.ts';
import {
  parametersProtocol,
  stateProtocol,
  stepProtocol,
  type AppliedDecision,
} from '../../src/actors/protocol/parameters.ts';
import { checkpointerProtocol, trainerProtocol } from '../../src/actors/protocol/trainer.ts';
import { agentProtocol } from '../../src/actors/protocol/agent.ts';
import {
  createLocalSystem,
  defineProtocol,
  ask,
  matcher,
  type ActorSystem,
  type AnyProtocol,
} from '../../src/runtime/index.ts';
import { supervisorProtocol } from '../../src/runtime/system/supervisor.ts';

const tables: readonly AnyProtocol[] = [
  eventLogProtocol,
  expertProtocol,
  parametersProtocol,
  stateProtocol,
  stepProtocol,
  expertGroupProtocol,
  recoveryProtocol,
  routerProtocol,
  stageProtocol,
  checkpointerProtocol,
  trainerProtocol,
  agentProtocol,
  supervisorProtocol,
];
const messages = tables.flatMap((table) =>
  Object.entries(table.messages).map(([message, { from }]) => ({ message: `${table.name}.${message}`, from })),
);

let opened: ActorSystem | null = null;
let handled: string[] = [];
let log: string[] = [];
afterEach(async () => {
  await opened?.stop();
  opened = null;
});

/** A system of that name, in which each message of an expert and of a trainer is written down. */
function open(name: string): ActorSystem {
  handled = [];
  log = [];
  const system = createLocalSystem({ name, logSink: ({ text }) => void log.push(text) });
  const noting = (message: string) => (): void => void handled.push(message);
  const asked = { save: () => ({ tensors: {} }), digest: () => ({}), abandon: () => 0 };
  system.spawn(expertProtocol, expertAddress('1', 0), () => ({
    ...asked,
    restore: noting('restore'),
    settle: noting('settle'),
  }));
  system.spawn(agentProtocol, agentAddress(name), () => ({
    vote: () => Promise.reject(new RangeError('not asked here')),
    finish: () => Promise.reject(new RangeError('not asked here')),
    apply: () => Promise.reject(new RangeError('not asked here')),
    save: asked.save,
    restore: noting('restore'),
    digest: () => [],
    enter: () => [],
    settle: noting('settle'),
    report: () => ({ bytesSent: {}, leased: 0, cpuMs: 0 }),
    tuning: () => null,
  }));
  system.spawn(trainerProtocol, trainerAddress, () => ({
    train: () => ({ status: 'done' as const, step: 0, evalLoss: null }),
    next: noting('next'),
    voted: noting('voted'),
    goOn: noting('goOn'),
    interrupt: noting('interrupt'),
    pause: noting('pause'),
  }));
  opened = system;
  return system;
}

const decision: AppliedDecision = { gen: 0, step: 0, verdict: 'commit', updateStep: 1, lr: 1, clip: 1 };

test.each(messages)('$message says who may send it, and strangers are not among them', ({ from }) => {
  expect(from).not.toBeNull();
  const isAllowed = matcher(from ?? ['**']);
  const strangers = ['@stranger', '@node', 'node-1/root', 'run/nobody', 'stranger/trainer', 'run/trainer/child'];
  expect(strangers.filter(isAllowed)).toEqual([]);
});

test('what a stranger sends to restore, apply, settle or interrupt is refused by name, and not handled', async () => {
  const system = open('stranger');
  const expert = system.ref(expertProtocol, expertAddress('1', 0));
  const refused = (message: string, to: string, from: string) => ({
    tag: 'NotAllowed',
    message: `${to}: '${message}' is not for ${from} to send; see 'from' in the message table`,
  });
  const to = expertAddress('1', 0);
  await expect(expert.ask.restore({ parts: [], dataStep: 0 })).rejects.toMatchObject(
    refused('restore', to, '@stranger'),
  );
  await expect(expert.ask.settle({ decision })).rejects.toMatchObject(refused('settle', to, '@stranger'));
  const agent = system.ref(agentProtocol, agentAddress('stranger'));
  await expect(agent.ask.restore({ parts: [], dataStep: 0 })).rejects.toMatchObject(
    refused('restore', agent.address, '@stranger'),
  );
  await expect(agent.ask.apply(decision)).rejects.toMatchObject(refused('apply', agent.address, '@stranger'));
  system.ref(trainerProtocol, trainerAddress).tell.interrupt();
  system.ref(trainerProtocol, trainerAddress).tell.next();
  await system.idle();
  expect(handled).toEqual([]);
  expect(log).toContain(refused('interrupt', trainerAddress, '@stranger').message);
});

test('an actor of the run does not get further than its own part', async () => {
  const system = open('node-0');
  const tryProtocol = defineProtocol('try', { all: ask() });
  const tries = [stageAddress(0, 0), checkpointerAddress].map((address) =>
    system.spawn(tryProtocol, address, (scope) => ({
      async all() {
        const expert = scope.ref(expertProtocol, expertAddress('1', 0));
        await expect(expert.ask.settle({ decision })).rejects.toMatchObject({ tag: 'NotAllowed' });
        await expect(expert.ask.restore({ parts: [], dataStep: 0 })).rejects.toMatchObject({ tag: 'NotAllowed' });
        const agent = scope.ref(agentProtocol, agentAddress('node-0'));
        await expect(agent.ask.apply(decision)).rejects.toMatchObject({ tag: 'NotAllowed' });
        await expect(agent.ask.restore({ parts: [], dataStep: 0 })).rejects.toMatchObject({ tag: 'NotAllowed' });
        scope.ref(trainerProtocol, trainerAddress).tell.interrupt();
      },
    })),
  );
  for (const each of tries) await each.ask.all();
  await system.ref(agentProtocol, agentAddress('node-0')).ask.restore({ parts: [], dataStep: 0 });
  system.ref(trainerProtocol, trainerAddress).tell.interrupt();
  await system.idle();
  expect(handled).toEqual(['restore', 'interrupt']);
});
