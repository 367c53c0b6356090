/** Provisions that follow each other: all are tried, and the first failure is the end. */
import { expect, test } from 'vitest';
import { provideEach } from '../../src/cli/provisions.ts';

const tried: string[] = [];
const ends =
  (name: string, exitCode: number): (() => Promise<number>) =>
  () => {
    tried.push(name);
    return Promise.resolve(exitCode);
  };
const throws = (): Promise<number> => Promise.reject(new Error('no such probe'));

test('what comes after a provision that failed is tried all the same, and the first failure is the end', async () => {
  expect(await provideEach([ends('a', 1), ends('b', 0), ends('c', 2)])).toBe(1);
  expect(tried.splice(0)).toEqual(['a', 'b', 'c']);
  await expect(provideEach([throws, ends('b', 2)])).rejects.toThrow('no such probe');
  expect(tried.splice(0)).toEqual(['b']);
  expect(await provideEach([ends('a', 2), throws])).toBe(2);
});

test('nothing but successes is a success', async () => {
  expect(await provideEach([ends('a', 0), ends('b', 0)])).toBe(0);
});
