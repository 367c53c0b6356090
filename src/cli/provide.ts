/**
 * The program of `npm run provide`: it provides nats-server and a driver for WebGPU, without a question. Only tests have a
 * use for both. Sets the exit code: the first failure's.
 */
import { askGpus } from './checks/gpu.ts';
import { exitCodes } from './failure.ts';
import { NatsProvision } from './nats_provision.ts';
import { provideEach } from './provisions.ts';
import { Shell } from './shell.ts';
import { VulkanProvision } from './vulkan_provision.ts';

const machine = {
  shell: new Shell(process.env),
  platform: process.platform,
  say: (line: string) => console.error(line),
};
const nats = new NatsProvision({ ...machine, agree: () => Promise.resolve(true) });
const vulkan = new VulkanProvision({ ...machine, root: '/', look: askGpus });

process.exitCode = await provideEach([
  () => nats.provide(),
  async () => {
    await vulkan.provide();
    return exitCodes.done;
  },
]);
