/** The queue of a device: one job at a time, and those that can wait in the gaps. */
import { expect, it } from 'vitest';
import { JobQueue } from '../../src/kernels/cpu/job_queue.ts';

/** Jobs that note when they begin, and take a turn of the event loop. */
function noted() {
  const begun: string[] = [];
  const job = (name: string) => async () => {
    begun.push(name);
    await new Promise((resolve) => setImmediate(resolve));
    return name;
  };
  return { begun, job };
}

it('does jobs in the order of the calls, and a failure is its caller’s', async () => {
  const queue = new JobQueue();
  const { begun, job } = noted();
  const failing = queue.do(() => Promise.reject(new Error('no')));
  const all = [queue.do(job('a')), queue.do(job('b'))];
  await expect(failing).rejects.toThrow('no');
  expect(await Promise.all(all)).toEqual(['a', 'b']);
  expect(begun).toEqual(['a', 'b']);
});

it('lets a job that can wait begin when nobody asks for another', async () => {
  const queue = new JobQueue();
  const { begun, job } = noted();
  const late = [queue.doLater(job('late 1')), queue.doLater(job('late 2'))];
  // One after another, each asked for when the one before is done.
  for (const name of ['a', 'b', 'c']) await queue.do(job(name));
  await Promise.all(late);
  expect(begun).toEqual(['a', 'b', 'c', 'late 1', 'late 2']);
});

it('does not keep what comes between two late jobs waiting for both', async () => {
  const queue = new JobQueue();
  const { begun, job } = noted();
  const late = [1, 2, 3].map((i) => queue.doLater(job(`late ${i}`)));
  await late[0];
  await queue.do(job('a'));
  await Promise.all(late);
  expect(begun.indexOf('a')).toBeLessThan(begun.indexOf('late 3'));
});

it('fails a late job’s caller only', async () => {
  const queue = new JobQueue();
  const { job } = noted();
  const late = queue.doLater(() => Promise.reject(new Error('no')));
  const next = queue.doLater(job('next'));
  await expect(late).rejects.toThrow('no');
  expect(await next).toBe('next');
});
