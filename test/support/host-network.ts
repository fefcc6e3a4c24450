/**
 * A network of a test: a process in a network namespace of its own, and a link between it and the servers. While the link is down, nothing
 * is reset or refused: packets are lost in both directions, as with a cable that is pulled.
 */

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';
import { cleanUp } from './embedded.ts';
import type { Scene } from './fault.ts';
import { findPrimaryPort, withShortSelection } from './mongo-url.ts';
import { startProxy } from './tcp-proxy.ts';

/** Why there can be none here; false if there can. */
export function lacksNamespaces(): string | false {
  const { error, status, stderr } = spawnSync(
    'unshare',
    ['--net', 'ip', 'link', 'add', 'one', 'type', 'veth', 'peer', 'name', 'other'],
    { encoding: 'utf8' },
  );
  if (status === 0) return false;
  return `needs \`unshare\`, \`ip\`, and the right to make network namespaces: ${error?.message ?? stderr.trim()}`;
}

export interface HostNetwork {
  /** The servers, as they are reached from inside. */
  readonly env: { readonly MONGO_URL: string; readonly POSTGRES_URL: string };
  /** A command that executes the rest of its arguments inside. It can be used once: the namespace ends with the process. */
  readonly through: readonly string[];
  cut(): void;
  restore(): void;
}

/**
 * Executed in a namespace of its own, by a process whose parent is outside: takes one end of the link in, and becomes the command. Without a
 * name, the namespace ends with its last process, and the link with it.
 */
const enter = `
  link=$1; address=$2; shift 2
  nsenter --net --target "$PPID" ip link set "$link" netns "$$"
  ip link set lo up
  ip address add "$address" dev "$link"
  ip link set "$link" up
  exec "$@"`;

let networks = 0;

/** Removed after the test. */
export async function setHostNetwork(t: TestContext, scene: Scene): Promise<HostNetwork> {
  // Four addresses each, of a block that is reserved for tests of networks (RFC 2544). Test files run side by side.
  const number = (process.pid % 1024) * 32 + networks++;
  assert.ok(networks <= 32, 'a file has at most 32 networks');
  const [outside, inside] = [addressOf(4 * number + 1), addressOf(4 * number + 2)];
  const link = `m2p${number}`;
  ip('link', 'add', `${link}o`, 'type', 'veth', 'peer', 'name', `${link}i`);
  cleanUp(t, () => {
    // Gone already if the process has ended.
    spawnSync('ip', ['link', 'delete', `${link}o`]);
  });
  ip('address', 'add', `${outside}/30`, 'dev', `${link}o`);
  ip('link', 'set', `${link}o`, 'up');
  // The servers listen on loopback only.
  const { MONGO_URL: mongoUrl = '', POSTGRES_URL: postgresUrl = '' } = scene.env;
  const forward = async (port: number, url: string): Promise<string> => {
    const proxy = await startProxy({ port, address: outside });
    cleanUp(t, () => proxy.close());
    return proxy.url(url);
  };
  return {
    env: {
      MONGO_URL: withShortSelection(await forward(await findPrimaryPort(mongoUrl), mongoUrl)),
      POSTGRES_URL: await forward(Number(new URL(postgresUrl).port), postgresUrl),
    },
    through: ['unshare', '--net', 'sh', '-ec', enter, 'enter', `${link}i`, `${inside}/30`],
    cut: () => {
      ip('link', 'set', `${link}o`, 'down');
    },
    restore: () => {
      ip('link', 'set', `${link}o`, 'up');
    },
  };
}

function addressOf(n: number): string {
  return `198.${18 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}
