/** A probe for tests: does what its first argument says. */
import { answer } from '../../../../src/cli/checks/probe.ts';

const what = process.argv[2];
if (what === 'hangs') setInterval(() => undefined, 1000);
else if (what === 'crashes') process.kill(process.pid, 'SIGKILL');
else if (what === 'ends') process.exit(3);
else if (what === 'babbles') console.log('hello');
else {
  console.log('a driver says hello');
  console.error('a driver warns');
  await answer(() => (what === 'fails' ? Promise.reject(new Error('no\nlibrary')) : Promise.resolve({ what })));
}
