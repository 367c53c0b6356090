/**
 * The config is what nats-server is told, in its own config language. It holds the token, so it is written for its
 * owner's eyes only and named on the command line, never quoted there.
 */

export interface NatsServerConfig {
  /** −1: any free one. */
  readonly port: number;
  readonly token: string;
  readonly storeDir: string;
  /** nats-server writes `nats-server_<pid>.ports` there once it listens. */
  readonly portsDir: string;
  readonly maxPayloadBytes: number;
  /** What the server holds for one receiver before it cuts it off. */
  readonly maxPendingBytes: number;
}

/** The text of a config file. JSON strings are strings of its language too. */
export function formatConfig(config: NatsServerConfig): string {
  return [
    'host: "127.0.0.1"',
    `port: ${config.port}`,
    `ports_file_dir: ${JSON.stringify(config.portsDir)}`,
    `max_payload: ${config.maxPayloadBytes}`,
    `max_pending: ${config.maxPendingBytes}`,
    `authorization { token: ${JSON.stringify(config.token)} }`,
    `jetstream { store_dir: ${JSON.stringify(config.storeDir)} }`,
    '',
  ].join('\n');
}

/** The port in the text of a ports file; null if it is not whole yet. */
export function parsePorts(text: string): number | null {
  const port = /"nats":\s*\["nats:\/\/[^"]*:(\d+)"/.exec(text)?.[1];
  return port === undefined ? null : Number(port);
}
