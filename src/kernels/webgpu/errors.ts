/** What can go wrong with a GPU. Each names the adapter, the feature or the limit, what was asked, and what there is. */
import type { ListedAdapter } from './adapter_list.ts';

/** There is no adapter such as was asked for. */
export class NoAdapter extends Error {
  readonly tag = 'NoAdapter';
  readonly exitCode = 1;
  constructor(wanted: string, listed: readonly ListedAdapter[]) {
    const there = listed.map(({ name, backend }, i) => `${i}: ${name} (${backend})`).join(', ');
    const asked = wanted === '' ? 'no GPU' : `no adapter '${wanted}'`;
    const mend = listed.length === 0 ? 'install its driver, see troupe doctor' : 'name one of them';
    super(`webgpu: ${asked}; there is ${there === '' ? 'none' : there}; ${mend}, or set device: cpu`);
    this.name = 'NoAdapter';
  }
}

/** Dawn, the library behind WebGPU, cannot be loaded: it is not installed, or there is none for this platform. */
export class DawnMissing extends Error {
  readonly tag = 'DawnMissing';
  readonly exitCode = 1;
  /** In a few words. */
  readonly why: string;
  constructor(cause: unknown) {
    const [first] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
    const why = `the library of WebGPU cannot be loaded on ${process.platform}-${process.arch} (${first})`;
    super(`webgpu: ${why}; install again, or set device: cpu`, { cause });
    this.name = 'DawnMissing';
    this.why = why;
  }
}

/** There is such an adapter, and its driver gives no device. */
export class DeviceRefused extends Error {
  readonly tag = 'DeviceRefused';
  readonly exitCode = 1;
  /** In a few words. */
  readonly why: string;
  constructor(adapter: string, cause: unknown) {
    const [first] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
    const why = `adapter ${adapter} gives no device (${first})`;
    super(`webgpu: ${why}; see troupe doctor, take another adapter, or set device: cpu`, { cause });
    this.name = 'DeviceRefused';
    this.why = why;
  }
}

/** A shader that this project made and Dawn does not take. */
export class ShaderRefused extends Error {
  readonly tag = 'ShaderRefused';
  readonly exitCode = 1;
  constructor(adapter: string, program: string, label: string, reason: string) {
    const [first] = reason.split('\n');
    super(`webgpu: ${adapter} refuses shader ${label} of program ${program}: ${first}`);
    this.name = 'ShaderRefused';
  }
}

/** The adapter lacks a feature that a program needs. */
export class FeatureMissing extends Error {
  readonly tag = 'FeatureMissing';
  readonly exitCode = 1;
  constructor(feature: string, what: string) {
    super(`webgpu: ${what} needs the feature ${feature}, which the adapter has not; take another adapter, or fp32`);
    this.name = 'FeatureMissing';
  }
}

/** The adapter allows less than a program or a tensor needs. */
export class LimitExceeded extends Error {
  readonly tag = 'LimitExceeded';
  readonly exitCode = 1;
  constructor(adapter: string, limit: string, what: string, asked: number, available: number) {
    super(`webgpu: ${what} needs ${limit} ${asked}, adapter ${adapter} has ${available}`);
    this.name = 'LimitExceeded';
  }
}

/** The device is gone: its driver was reset, or it was taken out. Nothing on it can be read any more. */
export class DeviceLost extends Error {
  readonly tag = 'DeviceLost';
  readonly exitCode = 1;
  constructor(adapter: string, reason: string) {
    super(`webgpu: device of adapter ${adapter} lost: ${reason}`);
    this.name = 'DeviceLost';
  }
}
