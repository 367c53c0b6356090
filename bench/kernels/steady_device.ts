/** A WebGPU device that is opened again after a failure: what comes after a lost or confused one is still to be measured. */
import { openListed, type ListedAdapter } from '../../src/kernels/webgpu/adapters.ts';
import { WebGpuDevice } from '../../src/kernels/webgpu/device.ts';
import { NoAdapter } from '../../src/kernels/webgpu/errors.ts';

export class SteadyDevice {
  private readonly listed: ListedAdapter;
  private readonly bytes: number;
  private device: WebGpuDevice | null = null;

  constructor(listed: ListedAdapter, bytes: number) {
    this.listed = listed;
    this.bytes = bytes;
  }

  /** What `work` comes to; or, as text, why it came to nothing. */
  async attempt<T>(work: (device: WebGpuDevice) => Promise<T>): Promise<T | string> {
    try {
      this.device ??= await this.open();
      return await work(this.device);
    } catch (error) {
      await this.close();
      return error instanceof Error ? error.message : String(error);
    }
  }

  async close(): Promise<void> {
    const { device } = this;
    this.device = null;
    await device?.close();
  }

  /** An adapter makes one device only. */
  private async open(): Promise<WebGpuDevice> {
    const opened = await openListed(this.listed);
    if (opened === null) throw new NoAdapter(this.listed.name, [this.listed]);
    return await WebGpuDevice.over(opened, { bytes: this.bytes });
  }
}
