import { configDefaults, defineConfig } from 'vitest/config';

/** These talk to a real nats-server, which no command needs yet: `npm run test:nats` runs them where there is one. */
export const natsTests = [
  'test/actors/nodes.test.ts',
  'test/runtime/cluster/nats_kv_store.test.ts',
  'test/runtime/cluster/nats_server.test.ts',
  'test/runtime/transport/nats_gateway.test.ts',
  'test/runtime/transport/nats_transport.test.ts',
];

/** Native add-ons live in the tests, so each file runs in a process of its own. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...natsTests],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
