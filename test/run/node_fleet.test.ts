/** The fleet starts nodes again that end by themselves, as often as it may, each time in a later life. */
import { expect, it } from 'vitest';
import { NodeDied } from '../../src/runtime/cluster/index.ts';
import { VirtualClock } from '../../src/runtime/testing/index.ts';
import { NodeFleet, type FleetProcess } from '../../src/run/node_fleet.ts';
import type { NodeLife } from '../../src/run/gathering.ts';

const report = { exitCode: null, signal: 'SIGKILL' as const, reason: null, log: [], flight: [] };

function fleetOf(restart: { intensity: number; period: number; back_off: number }) {
  const clock = new VirtualClock();
  const lives: NodeLife[] = [];
  const told: (string | null)[] = [];
  const killed: number[] = [];
  let die: (error: NodeDied) => void = () => undefined;
  const fleet = new NodeFleet({
    restart,
    clock,
    start: (life, onDied) => {
      lives.push(life);
      die = onDied;
      const nth = lives.length;
      const process: FleetProcess = {
        pid: 1000 + nth,
        stop: () => undefined,
        kill: () => void killed.push(nth),
        ended: Promise.resolve(),
      };
      return process;
    },
    onStarted: () => undefined,
    onDied: (_, again) => told.push(again),
  });
  fleet.start('node-0');
  return { clock, fleet, lives, told, killed, die: () => die(new NodeDied('node-0', report)) };
}

it('each life is later than the one before, also where the wall clock stands', async () => {
  const { clock, lives, die, fleet } = fleetOf({ intensity: 2, period: 60, back_off: 0 });
  die();
  await clock.advance(0);
  die();
  await clock.advance(0);
  const numbers = lives.map(({ incarnation }) => incarnation);
  expect(numbers).toHaveLength(3);
  expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  expect(fleet.lives).toEqual([lives[2]]);
});

it('waits twice as long each time, and gives a node up that ends too often', async () => {
  const { clock, fleet, lives, told, die } = fleetOf({ intensity: 2, period: 60, back_off: 1 });
  die();
  await clock.advance(999);
  expect(lives).toHaveLength(1);
  await clock.advance(1);
  expect(lives).toHaveLength(2);
  die();
  await clock.advance(1999);
  expect(lives).toHaveLength(2);
  await clock.advance(1);
  expect(lives).toHaveLength(3);
  die();
  await clock.advance(100_000);
  expect(lives).toHaveLength(3);
  expect(told).toEqual(['restart 1 of at most 2 in 60 s, in 1 s', 'restart 2 of at most 2 in 60 s, in 2 s', null]);
  expect(fleet.lives).toEqual([]);
});

it('forgets restarts that are longer ago than the period', async () => {
  const { clock, lives, die } = fleetOf({ intensity: 1, period: 10, back_off: 0 });
  for (let i = 0; i < 4; i++) {
    die();
    await clock.advance(10_000);
  }
  expect(lives).toHaveLength(5);
});

it('ends the process of a life that gives no sign of it, once, and not that of a later one', async () => {
  const { clock, fleet, lives, killed } = fleetOf({ intensity: 3, period: 60, back_off: 0 });
  const [first] = lives;
  fleet.fell(first, new NodeDied('node-0', report));
  await clock.advance(0);
  fleet.fell(first, new NodeDied('node-0', report));
  await clock.advance(0);
  expect(killed).toEqual([1]);
  expect(lives).toHaveLength(2);
});

it('starts nobody any more once it is to stop', async () => {
  const { clock, fleet, lives, die } = fleetOf({ intensity: 3, period: 60, back_off: 5 });
  die();
  await fleet.stop();
  await clock.advance(60_000);
  expect(lives).toHaveLength(1);
});
