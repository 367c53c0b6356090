/** What is asked on a terminal before the machine is changed, and what counts as a yes. */
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { agreementTo } from '../../src/cli/agreement.ts';

function terminal(isTTY: boolean) {
  const [input, output] = [new PassThrough(), new PassThrough()].map((stream) => Object.assign(stream, { isTTY }));
  return { input, output };
}

test.each([
  ['y', true],
  ['Yes', true],
  ['', false],
  ['n', false],
  ['yellow', false],
])('the answer %j is %s', async (answer, isAgreed) => {
  const { input, output } = terminal(true);
  const agreed = agreementTo('install it?', { input, output });
  input.write(`${answer}\n`);
  expect(await agreed).toBe(isAgreed);
  expect(String(output.read())).toContain('install it? [y/N] ');
});

test.each([
  ['Ctrl-C', '\u0003'],
  ['Ctrl-D', '\u0004'],
])('%s is a no', async (_name, key) => {
  const { input, output } = terminal(true);
  const agreed = agreementTo('install it?', { input, output });
  input.write(key);
  expect(await agreed).toBe(false);
});

test('nobody is asked where there is no terminal', async () => {
  const { input, output } = terminal(false);
  expect(await agreementTo('install it?', { input, output })).toBeNull();
  expect(output.read()).toBeNull();
});
