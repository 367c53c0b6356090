/**
 * Sees to it that there is a nats-server: looks, and where there is none installs Debian's package, if it may and the user
 * agrees. The package would start a server for everybody at port 4222; Troupe starts its own on loopback, with a token,
 * so that service is kept off.
 */
// Not by the face of the cluster, which loads the client too: this runs before every start.
import { findNatsServer } from '../runtime/cluster/nats_server.ts';
import { NatsServerMissing } from '../runtime/cluster/nats_server_errors.ts';
import { Apt } from './apt.ts';
import { exitCodes, failureOf } from './failure.ts';
import { rootAccess } from './root_access.ts';
import type { Shell } from './shell.ts';
import { SystemdUnit } from './systemd_unit.ts';

const unitName = 'nats-server.service';
const releases = 'https://github.com/nats-io/nats-server/releases';

export interface NatsProvisionOptions {
  readonly shell: Shell;
  readonly platform: NodeJS.Platform;
  readonly say: (line: string) => void;
  /** Whether the user agrees to what the question says; null where nobody can be asked. */
  readonly agree: (question: string) => Promise<boolean | null>;
}

export class NatsProvision {
  readonly #shell: Shell;
  readonly #platform: NodeJS.Platform;
  readonly #say: (line: string) => void;
  readonly #agree: NatsProvisionOptions['agree'];

  constructor({ shell, platform, say, agree }: NatsProvisionOptions) {
    this.#shell = shell;
    this.#platform = platform;
    this.#say = say;
    this.#agree = agree;
  }

  /** The exit code: done if there is a nats-server, perhaps since now. */
  async provide(): Promise<number> {
    if (this.#isThere()) return exitCodes.done;
    const failure = await this.#install();
    if (failure === null && this.#isThere()) return exitCodes.done;
    if (failure === null) {
      this.#say(
        "troupe: apt-get has installed nats-server, in none of the usual folders; put its folder on PATH ('dpkg -L nats-server' lists it)",
      );
    } else {
      const { line } = failureOf(new NatsServerMissing('PATH', this.#platform));
      this.#say(`${line} (${failure})`);
    }
    return exitCodes.failed;
  }

  #isThere(): boolean {
    try {
      findNatsServer(this.#shell.path);
      return true;
    } catch (error) {
      if (error instanceof NatsServerMissing) return false;
      throw error;
    }
  }

  /** Null once the package is installed, else why it is not. */
  async #install(): Promise<string | null> {
    if (this.#platform !== 'linux') return `or take it from ${releases}`;
    if (!Apt.isIn(this.#shell)) {
      return `there is no apt-get here: take it from ${releases}, into a folder of PATH`;
    }
    const asRoot = rootAccess(this.#shell, 'apt-get install nats-server');
    if (typeof asRoot === 'string') return asRoot;
    const command = [...asRoot, 'apt-get install nats-server'].join(' ');
    const isAgreed = await this.#agree(
      `troupe: nodes talk through nats-server, and there is none; install Debian's package, its service switched off ('${command}')?`,
    );
    if (isAgreed === null) return "not done here without being asked to; 'npm run provide' does it";
    if (!isAgreed) return 'not done, as you said';
    this.#say(`troupe: no nats-server: installing it with apt-get, its service ${unitName} switched off ...`);
    const apt = new Apt(this.#shell, asRoot);
    const unit = new SystemdUnit(this.#shell, asRoot, unitName);
    const { failure, isOff } = unit.keptOff(() => apt.install(['nats-server']));
    if (!isOff) {
      this.#say(`troupe: ${unitName} may listen at port 4222 for everybody; run 'systemctl disable --now ${unitName}'`);
    }
    return failure === null ? null : `apt-get failed: ${failure}`;
  }
}
