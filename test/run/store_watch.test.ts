/** A store that takes no writes is noticed, said once, and mended or waited for; an interrupt is heard all the while. */
import { expect, it } from 'vitest';
import type { RunServer } from '../../src/run/run_server_port.ts';
import { StoreWatch } from '../../src/run/store_watch.ts';
import { VirtualClock } from '../../src/runtime/testing/index.ts';

const STORE = '/runs/mine/nats';
const URL = 'nats://127.0.0.1:4222';
const MIB = 2 ** 20;

/** A launch whose store is asked for a write each 2.5 s, and answers while `isAnswering`. */
class Scene {
  readonly clock = new VirtualClock();
  readonly said: string[] = [];
  readonly stop = new AbortController();
  isAnswering = true;
  isConnected = true;
  freeBytes: number | null = 900 * MIB;
  /** What a restart does to the server. */
  onRestart: () => void = () => undefined;
  readonly watch: StoreWatch;

  constructor(isOwn: boolean) {
    const own = {
      storeDir: STORE,
      restart: () => {
        this.said.push('restarted');
        this.onRestart();
      },
      renew: (damage: Error) => Promise.reject(damage),
    };
    const server: RunServer = {
      address: isOwn ? { url: URL, log: `${STORE}/nats-server.log` } : { url: URL },
      own: isOwn ? own : null,
      failed: new Promise(() => undefined),
      close: () => Promise.resolve(),
    };
    this.watch = new StoreWatch({
      clock: this.clock,
      server,
      beatMs: 2_500,
      isConnected: () => this.isConnected,
      notice: (text) => void this.said.push(text),
      interrupted: this.stop.signal,
      onStuck: (error) => void this.said.push(`${error.tag}: ${error.message}`),
      freeBytes: () => Promise.resolve(this.freeBytes),
    });
    const beat = (): void => {
      if (this.isAnswering) this.watch.answered();
      this.clock.after(2_500, beat);
    };
    beat();
  }

  /** What is said in so many seconds. */
  async after(seconds: number): Promise<string[]> {
    await this.clock.advance(seconds * 1_000);
    return this.said.splice(0);
  }
}

const FULL = `${STORE}: the disk is full, so no step can be recorded`;

it('says nothing of a store that answers', async () => {
  expect(await new Scene(true).after(3_600)).toEqual([]);
});

it('says once that the disk is full, and starts the server again when there is room', async () => {
  const scene = new Scene(true);
  Object.assign(scene, { isAnswering: false, freeBytes: 4_096 });
  expect(await scene.after(12)).toEqual([]);
  expect(await scene.after(600)).toEqual([`${FULL}; free space there: the run waits`]);
  Object.assign(scene, { freeBytes: 500 * MIB, onRestart: () => (scene.isAnswering = true) });
  expect(await scene.after(600)).toEqual(['restarted', `${STORE}: the store takes writes again`]);
});

it('ends the run when it is interrupted while the disk is full', async () => {
  const scene = new Scene(true);
  Object.assign(scene, { isAnswering: false, freeBytes: 0 });
  await scene.after(60);
  scene.stop.abort();
  expect(await scene.after(1)).toEqual([
    `StoreStuck: ${FULL}; free space there, then continue with --resume: what was checkpointed is safe`,
  ]);
  expect(await scene.after(600)).toEqual([]);
});

it('starts a server that hangs again, at most three times, and then ends the run', async () => {
  const scene = new Scene(true);
  scene.isAnswering = false;
  expect(await scene.after(600)).toEqual([
    'restarted',
    'restarted',
    'restarted',
    `StoreStuck: ${STORE}: the store of the NATS server takes no writes; see ${STORE}/nats-server.log, then continue with ` +
      '--resume: what was checkpointed is safe',
  ]);
});

it("waits for somebody else's server, whose store takes no writes, and says so once", async () => {
  const scene = new Scene(false);
  scene.isAnswering = false;
  expect(await scene.after(3_600)).toEqual([
    `${URL}: the NATS server is there, and its store takes no writes; see its log and its disk: the run waits`,
  ]);
  scene.isAnswering = true;
  expect(await scene.after(10)).toEqual([`${URL}: the store takes writes again`]);
});

it('says nothing of a server that is away, and ends the run when it is interrupted then', async () => {
  const scene = new Scene(false);
  Object.assign(scene, { isAnswering: false, isConnected: false });
  expect(await scene.after(3_600)).toEqual([]);
  scene.stop.abort();
  expect(await scene.after(1)).toEqual([
    `StoreStuck: ${URL}: the NATS server is away; start it, then continue with --resume: what was checkpointed is safe`,
  ]);
});

it('leaves a run alone that is interrupted while its store answers', async () => {
  const scene = new Scene(true);
  scene.stop.abort();
  expect(await scene.after(3_600)).toEqual([]);
});
