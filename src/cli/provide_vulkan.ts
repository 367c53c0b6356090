/** The program behind `npm test` that provides a driver for WebGPU. Tests of other things run without one. */
import { askGpus } from './checks/gpu.ts';
import { Shell } from './shell.ts';
import { VulkanProvision } from './vulkan_provision.ts';

await new VulkanProvision({
  shell: new Shell(process.env),
  platform: process.platform,
  root: '/',
  look: askGpus,
  say: (line) => console.error(line),
}).provide();
