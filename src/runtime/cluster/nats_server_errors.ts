/** What can go wrong with a NATS server that is started here. One line each: what, where, what to do. */

const INSTALL: Readonly<Record<string, string>> = {
  linux: 'apt-get install nats-server',
  darwin: 'brew install nats-server',
  win32: 'choco install nats-server',
};

/** How to get nats-server, for the platform first, then the others. */
function installHint(platform: NodeJS.Platform): string {
  const own = INSTALL[platform];
  if (own !== undefined) return `run '${own}'`;
  return `run '${INSTALL.linux}' (Debian), '${INSTALL.darwin}' (macOS) or '${INSTALL.win32}' (Windows)`;
}

/** There is no nats-server to be started. */
export class NatsServerMissing extends Error {
  readonly tag = 'NatsServerMissing';
  override readonly name = 'NatsServerMissing';
  constructor(where: string, platform: NodeJS.Platform) {
    super(
      `there is no nats-server on ${where}, and nodes talk through one; ${installHint(platform)}, ` +
        'name a running server in cluster.nats.url, or train on one node (cluster.nodes=1)',
    );
  }
}

/** Something else listens at the port. */
export class PortInUse extends Error {
  readonly tag = 'PortInUse';
  override readonly name = 'PortInUse';
  readonly port: number;
  constructor(port: number) {
    super(`127.0.0.1:${port}: another program listens there; end it, or choose another cluster.nats.port or none`);
    this.port = port;
  }
}

/** nats-server ended before it was ready, or could not be given its files. */
export class NatsServerFailed extends Error {
  readonly tag = 'NatsServerFailed';
  override readonly name = 'NatsServerFailed';
  /** It has said itself that it cannot begin with what is in its store. */
  readonly isStoreDamaged: boolean;
  constructor(
    what: string,
    reason: string,
    remedy = "try 'nats-server --version', and a store directory that can be written",
    isStoreDamaged = false,
  ) {
    super(`${what}: ${reason}; ${remedy}`);
    this.isStoreDamaged = isStoreDamaged;
  }
}

/** nats-server's process lives, and does not listen. */
export class NatsServerSilent extends Error {
  readonly tag = 'NatsServerSilent';
  override readonly name = 'NatsServerSilent';
  readonly exitCode = 1;
  /** `log`: where it wrote what it said; undefined if that is gone with its temporary store. */
  constructor(binary: string, waitedMs: number, storeDir: string, log?: string) {
    const said = log === undefined ? '' : `see ${log}, and `;
    super(
      `${binary}: started, and does not listen after ${Math.round(waitedMs / 1000)} s; ` +
        `${said}whether the disk of ${storeDir} answers`,
    );
  }
}

/** A nats-server that was left behind does not end: a second one over the same store would damage it. */
export class OrphanLives extends Error {
  readonly tag = 'OrphanLives';
  override readonly name = 'OrphanLives';
  readonly exitCode = 1;
  /** `config`: its file, by which it is known. */
  constructor(pid: number, config: string) {
    super(`nats-server: process ${pid} (${config}) was left behind and cannot be ended; end it by hand`);
  }
}

/** nats-server ended in the middle of a run, and is not started again. */
export class NatsServerLost extends Error {
  readonly tag = 'NatsServerLost';
  override readonly name = 'NatsServerLost';
  readonly exitCode = 1;
  constructor(reason: string) {
    super(`nats-server: ${reason}; what was checkpointed is safe, continue with --resume`);
  }
}
