/** The program that provides a driver for WebGPU, for `npm run provide`. Only tests have a use for it. */
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
