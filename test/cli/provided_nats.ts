/** A nats-server that is provided, or not: what was said, called and answered, with stand-ins for the programs. */
import { NatsProvision } from '../../src/cli/nats_provision.ts';
import { Shell } from '../../src/cli/shell.ts';
import { Stubs } from './stubs.ts';

const missing =
  "troupe: there is no nats-server on PATH, and nodes talk through one; run 'apt-get install nats-server'";
export const byHand = `${missing}, name a running server in cluster.nats.url, or train on one node (cluster.nodes=1)`;
export const installing =
  'troupe: no nats-server: installing it with apt-get, its service nats-server.service switched off ...';

/** What `id` says to root. */
export const root = 'echo 0';

interface Provided {
  readonly exitCode: number;
  readonly said: readonly string[];
  readonly calls: readonly string[];
}

interface Asked {
  readonly platform?: NodeJS.Platform;
  /** What the user says to the question; null where there is no terminal. */
  readonly answer?: boolean | null;
  readonly asked?: (question: string) => void;
}

/** Provides a nats-server where PATH has these scripts alone. */
export async function provide(
  scripts: Readonly<Record<string, string>>,
  { platform = 'linux', answer = true, asked = () => undefined }: Asked = {},
): Promise<Provided> {
  using stubs = new Stubs(scripts);
  const said: string[] = [];
  const shell = new Shell({ PATH: stubs.folder });
  const agree = (question: string): Promise<boolean | null> => {
    asked(question);
    return Promise.resolve(answer);
  };
  const exitCode = await new NatsProvision({ shell, platform, say: (line) => said.push(line), agree }).provide();
  return { exitCode, said, calls: stubs.calls };
}
