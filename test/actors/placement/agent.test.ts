/** The agent of a system: it asks all that hold parameters there, answers once, and hears meanwhile that a gen is over. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  agentAddress,
  checkpointerAddress,
  recoveryAddress,
  trainerAddress,
} from '../../../src/actors/placement/addresses.ts';
import { SystemAgent } from '../../../src/actors/placement/agent.ts';
import { castOf } from '../../../src/actors/placement/cast.ts';
import { holdersBySystem } from '../../../src/actors/placement/system_holders.ts';
import { agentProtocol } from '../../../src/actors/protocol/agent.ts';
import { payload } from '../../../src/actors/protocol/pass.ts';
import { emptyVote, parameterMessages, type Vote } from '../../../src/actors/protocol/parameters.ts';
import { emptyReport, passMessages } from '../../../src/actors/protocol/report.ts';
import {
  createLocalSystem,
  defineProtocol,
  ask,
  type ActorScope,
  type ActorSystem,
} from '../../../src/runtime/index.ts';
import { VirtualClock } from '../../../src/runtime/testing/index.ts';
import { drawn, smallTopology } from '../kit.ts';
import { partsOf } from '../state_parts.ts';

const holderProtocol = defineProtocol('holder', { ...parameterMessages, ...passMessages });
const callerProtocol = defineProtocol('agent_caller', { call: ask({ fenced: false }) });

/** Two sharers of a stage, and a group of which two experts are here, as a run has them. */
const sharers = ['run/stage-p0-d0', 'run/stage-p0-d1'];
const group = 'run/experts-l1-g0';
const addresses = [...sharers, group, 'run/expert-l1-e0', 'run/expert-l1-e1'];
const cast = castOf(await drawn(smallTopology({ 'parallelism.data_parallel': 2 }))).filter(({ address }) =>
  addresses.includes(address),
);
const namesOf = (holder: string): string[] => {
  const entry = cast.find(({ address }) => address === holder);
  return entry?.share?.holdings.map(({ parameter }) => parameter.name) ?? [];
};

const tensorOf = (name: string) => payload(Float32Array.of(name.length), [1]);

let clock: VirtualClock;
let system: ActorSystem;
/** What those that hold parameters were asked, in order. */
let asked: string[];
/** What they vote; null: nothing ever. */
let votes: ((address: string) => Partial<Vote>) | null;

beforeEach(() => {
  clock = new VirtualClock();
  system = createLocalSystem({ name: 'node-0', clock });
  system.enter(1);
  asked = [];
  votes = () => ({});
  for (const { address } of cast) {
    const note = (message: string): void => void asked.push(`${message} ${address.slice('run/'.length)}`);
    system.spawn(holderProtocol, address, () => ({
      finish: ({ data }) => {
        note(`finish ${data}`);
        const microbatch = sharers.indexOf(address);
        return { ...emptyReport, sums: [{ name: 'loss', corpus: '', microbatch, sum: 1, weight: 1 }] };
      },
      prepare: (_args, ctx) => {
        note('prepare');
        const reply = ctx.defer<Vote>();
        if (votes !== null) reply.resolve({ ...emptyVote, ...votes(address) });
        return reply;
      },
      apply: () => note('apply'),
      abandon: () => {
        note('abandon');
        return 7;
      },
      settle: () => note('settle'),
      save: ({ parameters }) => {
        note('save');
        return { tensors: Object.fromEntries(parameters.map((name) => [name, tensorOf(name)])) };
      },
      restore: ({ parts, dataStep }) => note(`restore ${dataStep} ${parts.map(({ name }) => name).join()}`),
      digest: () => Object.fromEntries(namesOf(address).map((name) => [name, `digest of ${name}`])),
    }));
  }
  system.spawn(
    agentProtocol,
    agentAddress('node-0'),
    (scope) =>
      new SystemAgent(
        { system, device: () => null, onEnter: () => undefined, cast, place: () => Promise.resolve(cast) },
        scope,
      ),
  );
});
afterEach(() => system.stop());

/** Does `work` as the actor of that address, which has an hour for it. */
function as(address: string, work: (scope: ActorScope) => Promise<void>): Promise<void> {
  const actor = system.spawn(callerProtocol, address, (scope) => ({ call: () => work(scope) }));
  return actor.ask.call(undefined, { timeoutMs: 3_600_000 });
}

const decision = { gen: 1, step: 0, verdict: 'commit', updateStep: 1, lr: 1, clip: 1 } as const;

it('adds the votes on a step to one, in the order of the cast, without names and without sharers; a group votes for its experts', async () => {
  const [stage, ...experts] = ['run/stage-p0-d0', 'run/expert-l1-e0', 'run/expert-l1-e1'].map(namesOf);
  const squares: Record<string, Record<string, number>> = {
    'run/stage-p0-d0': Object.fromEntries(stage.map((name, i) => [name, i] as const).reverse()),
    [group]: Object.fromEntries([
      ...experts[1].map((name) => [name, Infinity] as const),
      ...experts[0].map((name) => [name, NaN] as const),
    ]),
  };
  votes = (address) => ({
    squares: squares[address] ?? {},
    sums: address.endsWith('d1') ? [{ name: 'loss', corpus: '', microbatch: 1, sum: 5, weight: 2 }] : [],
    processed: address === group ? { 1: 16 } : {},
    creditWaitMs: address.includes('router') ? { 'experts-l1-g0': 3 } : {},
  });
  await as(trainerAddress, async (scope) => {
    const agent = scope.ref(agentProtocol, agentAddress('node-0'));
    expect(await agent.ask.vote()).toEqual({
      squares: [...stage.keys(), ...experts[0].map(() => NaN), ...experts[1].map(() => Infinity)],
      sums: [{ name: 'loss', corpus: '', microbatch: 1, sum: 5, weight: 2 }],
      routing: [],
      processed: { 1: 16 },
      creditWaitMs: {},
    });
  });
});

it('asks those that have a part in a pass for what they report, and nobody else', async () => {
  const pass = { kind: 'score', data: 'held_out', step: 1 } as const;
  await as(trainerAddress, async (scope) => {
    const report = await scope.ref(agentProtocol, agentAddress('node-0')).ask.finish(pass);
    expect(report.sums.map(({ microbatch }) => microbatch)).toEqual([0, 1]);
  });
  expect(asked).toEqual(['finish held_out stage-p0-d0', 'finish held_out stage-p0-d1']);
});

it('has all apply a decision, and says what has been counted by then', async () => {
  await as(trainerAddress, async (scope) => {
    const report = await scope.ref(agentProtocol, agentAddress('node-0')).ask.apply(decision);
    expect(report).toMatchObject({ leased: 0 });
    expect(report.bytesSent.local).toBeGreaterThan(0);
  });
  expect(asked).toEqual([...sharers, group].map((address) => address.replace('run/', 'apply ')));
});

it('says that a holder left out a tensor that it answers for', async () => {
  const [first, second] = namesOf('run/stage-p0-d0');
  votes = () => ({ squares: { [first]: 1 } });
  await as(trainerAddress, async (scope) => {
    const agent = scope.ref(agentProtocol, agentAddress('node-0'));
    await expect(agent.ask.vote()).rejects.toMatchObject({
      message: `run/stage-p0-d0: its vote says nothing of ${second}`,
    });
  });
});

it('saves the parameters that are named, of those that answer for them, and gives them to all that hold them', async () => {
  const [[shared], [own]] = ['run/stage-p0-d1', 'run/expert-l1-e1'].map(namesOf);
  await as(checkpointerAddress, async (scope) => {
    const { tensors } = await scope
      .ref(agentProtocol, agentAddress('node-0'))
      .ask.save({ parameters: [shared, own, 'nobody’s'] });
    expect(tensors).toEqual({ [shared]: tensorOf(shared), [own]: tensorOf(own) });
  });
  expect(asked).toEqual(['save stage-p0-d0', 'save expert-l1-e1']);
  asked = [];
  const moment = `${own}.exp_avg`;
  const tensors = Object.fromEntries([shared, moment].map((name) => [name, tensorOf(name)]));
  await system.ref(agentProtocol, agentAddress('node-0')).ask.restore({ parts: partsOf(tensors), dataStep: 3 });
  expect(asked).toEqual([
    `restore 3 ${shared} stage-p0-d0`,
    `restore 3 ${shared} stage-p0-d1`,
    `restore 3 ${moment} expert-l1-e1`,
  ]);
});

it('gives the digests of what is answered for here, in the order of the cast', async () => {
  const digests = await system.ref(agentProtocol, agentAddress('node-0')).ask.digest();
  const names = ['run/stage-p0-d0', 'run/expert-l1-e0', 'run/expert-l1-e1'].flatMap(namesOf);
  expect(digests).toEqual(names.map((name) => `digest of ${name}`));
});

it('names the holder that does not vote, to whoever waits as long as a trainer does', async () => {
  votes = null;
  const voted = as(trainerAddress, async (scope) => {
    const vote = scope.ref(agentProtocol, agentAddress('node-0')).ask.vote(undefined, { timeoutMs: 15 * 60_000 });
    await expect(vote).rejects.toMatchObject({
      tag: 'AskTimeout',
      message: expect.stringMatching(/^run\/stage-p0-d0: no answer to 'prepare' in 840000 ms/) as unknown,
    });
  });
  await clock.advance(15 * 60_000);
  await voted;
});

it('hears that a gen is over while votes are outstanding, and those never come', async () => {
  votes = null;
  const voted = as(trainerAddress, async (scope) => {
    const agent = scope.ref(agentProtocol, agentAddress('node-0'));
    const vote = agent.ask.vote();
    await expect(vote).rejects.toMatchObject({ tag: 'WrongGen' });
  });
  await as(recoveryAddress, async (scope) => {
    const agent = scope.ref(agentProtocol, agentAddress('node-0'));
    expect(await agent.ask.enter({ gen: 2, assignment: null })).toEqual([7, 7, 7, 7]);
    await agent.ask.settle({ gen: 1, decision: null });
    await agent.ask.settle({ gen: 2, decision: null });
  });
  await voted;
  expect(asked.filter((line) => line.startsWith('settle'))).toHaveLength(4);
});

it('is one of a few: those that hold parameters are known by system, and a role needs a place', () => {
  const placement = new Map(
    cast.map(({ role }) => [role, role.endsWith('d1') ? 'node-1.worker-0' : 'node-0.worker-0']),
  );
  const found = holdersBySystem(cast, placement).map(({ system: name, holders }) => [
    name,
    ...holders.map(({ address }) => address),
  ]);
  expect(found).toEqual([
    ['node-0.worker-0', 'run/stage-p0-d0', 'run/expert-l1-e0', 'run/expert-l1-e1'],
    ['node-1.worker-0', 'run/stage-p0-d1'],
  ]);
  expect(() => holdersBySystem(cast, new Map())).toThrow(new RangeError('stage-p0-d0 has no place'));
});
