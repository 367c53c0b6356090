/**
 * Sees to it that WebGPU has an adapter for the tests: looks, and where there is none installs Mesa's driver, which
 * computes on the processor, if it may. Debian 12's own is too old for WebGPU: there it is taken from the backports.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Apt } from './apt.ts';
import { AptSources, debianRelease, type AptSource } from './backports.ts';
import { judgeGpu } from './checks/gpu.ts';
import type { GpuAnswer } from './checks/gpu_answer.ts';
import type { Answer } from './checks/probe.ts';
import { rootAccess } from './root_access.ts';
import type { Shell } from './shell.ts';

const packages = ['mesa-vulkan-drivers', 'libvulkan1'];
const tooOld = 'bookworm';

export interface VulkanProvisionOptions {
  readonly shell: Shell;
  readonly platform: NodeJS.Platform;
  /** The folder that holds `etc`. */
  readonly root: string;
  /** What WebGPU can use here. */
  readonly look: () => Promise<Answer<GpuAnswer>>;
  readonly say: (line: string) => void;
}

export class VulkanProvision {
  readonly #options: VulkanProvisionOptions;

  constructor(options: VulkanProvisionOptions) {
    this.#options = options;
  }

  /** Says so where there is no adapter even now: tests of WebGPU are then skipped, or fail under `CI`. */
  async provide(): Promise<void> {
    const { look, say, platform } = this.#options;
    const before = await look();
    if (hasAdapter(before)) return;
    const failure = this.#install();
    const after = failure === null ? await look() : before;
    if (hasAdapter(after)) return;
    const { found, mend } = judgeGpu(after, platform);
    const why = failure ?? `apt-get has installed ${packages[0]}, and WebGPU finds: ${found}`;
    say(
      `troupe: no adapter for WebGPU, so that its tests are skipped, or fail where CI is set; ` +
        `to mend: ${mend ?? 'see troupe doctor'} (${why})`,
    );
  }

  /** Null once the packages are installed, else why they are not. */
  #install(): string | null {
    const { shell, platform, root, say } = this.#options;
    if (platform !== 'linux') return 'not done here: only on Linux is there a driver to install';
    if (!Apt.isIn(shell)) return 'not done here: there is no apt-get';
    const asRoot = rootAccess(shell, `apt-get install ${packages.join(' ')}`);
    if (typeof asRoot === 'string') return asRoot;
    const apt = new Apt(shell, asRoot);
    if (debianRelease(root) !== tooOld) {
      say(`troupe: no adapter for WebGPU: installing ${packages[0]} with apt-get ...`);
      return failureOf(apt.install(packages));
    }
    const sources = new AptSources(root);
    const source = sources.missing(tooOld);
    if (source === undefined) return `not done here: apt has no entry for ${tooOld} to copy for its backports`;
    say(`troupe: no adapter for WebGPU: installing ${packages[0]} with apt-get, from ${tooOld}-backports ...`);
    if (source !== null && !this.#place(source, sources.folder, asRoot)) {
      return `${source.file} could not be put into ${sources.folder}`;
    }
    return failureOf(apt.install(packages, `${tooOld}-backports`));
  }

  /** By a program, since this process may not be root's. */
  #place({ file, text }: AptSource, folder: string, asRoot: readonly string[]): boolean {
    const draft = mkdtempSync(join(tmpdir(), 'troupe-apt-'));
    try {
      writeFileSync(join(draft, file), text);
      const copy = ['install', '-m', '644', join(draft, file), join(folder, file)];
      return this.#options.shell.run([...asRoot, ...copy])?.isOk === true;
    } finally {
      rmSync(draft, { recursive: true });
    }
  }
}

const hasAdapter = (answer: Answer<GpuAnswer>): boolean =>
  answer.kind === 'answered' && answer.value.adapters.length > 0;

const failureOf = (reason: string | null): string | null => (reason === null ? null : `apt-get failed: ${reason}`);
