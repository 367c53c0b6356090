import { defineConfig } from 'vitest/config';
import { natsTests } from './vitest.config.ts';

/** The tests that need nats-server on the PATH. */
export default defineConfig({
  test: { include: natsTests, pool: 'forks', maxWorkers: 2, testTimeout: 60_000, hookTimeout: 60_000 },
});
