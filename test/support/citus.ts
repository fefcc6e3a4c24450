/**
 * A Citus cluster of a test's own: a coordinator and nodes, each of which may be crashed and started again. The extension is one
 * that is installed beside Debian's PostgreSQL; without it, tests are skipped with the reason.
 */

import { accessSync, readdirSync, readFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import {
  resolveAccount,
  runProgram,
  serverSpawnOptions,
} from '../../packages/trial-servers/src/postgres/account.ts';
import { findFreePort } from '../../packages/trial-servers/src/port.ts';
import { startChildServer, type ChildServer } from './child-server.ts';

const versions = readInstalled();

function readInstalled(): readonly string[] {
  try {
    return readdirSync('/usr/share/postgresql');
  } catch {
    return [];
  }
}

/** The PostgreSQL that has the extension; `TEST_CITUS_POSTGRES` names its major version where several have. */
function findPostgres(): string | undefined {
  const wanted = process.env.TEST_CITUS_POSTGRES;
  return versions.find((version) => (wanted === undefined || wanted === version) && hasCitus(version));
}

const controlOf = (version: string): string => `/usr/share/postgresql/${version}/extension/citus.control`;

function hasCitus(version: string): boolean {
  try {
    accessSync(controlOf(version));
    accessSync(`/usr/lib/postgresql/${version}/bin/postgres`);
    return true;
  } catch {
    return false;
  }
}

/** For `skip`: false where there is one. */
export function lacksCitus(): string | false {
  return (
    findPostgres() === undefined &&
    'there is no Citus: no PostgreSQL below /usr/lib/postgresql has its extension installed'
  );
}

/** A description of the versions; null if there is none. */
export function describeCitus(): string | null {
  const version = findPostgres();
  if (version === undefined) return null;
  const citus = /default_version = '([^']+)'/.exec(readFileSync(controlOf(version), 'utf8'))?.[1] ?? '?';
  return `Citus ${citus} on PostgreSQL ${version}`;
}

/** One server of a cluster. */
export interface CitusServer {
  readonly port: number;
  readonly url: string;
  /** As `pg_ctl stop -m immediate` does it: all processes are killed. */
  crash(): Promise<void>;
  /** Fulfilled when it takes connections. */
  start(): Promise<void>;
  restart(): Promise<void>;
}

export interface CitusCluster {
  readonly coordinator: CitusServer;
  readonly nodes: readonly CitusServer[];
  /** Of the coordinator. */
  readonly url: string;
  remove(): Promise<void>;
}

export interface CitusOptions {
  readonly nodes?: number;
  /** Of a table. */
  readonly shards?: number;
  /** Additional settings: acknowledged writes are on disk. */
  readonly fsync?: boolean;
}

/** @throws Error where there is none */
export async function startCitus(options: CitusOptions = {}): Promise<CitusCluster> {
  const { nodes: count = 2 } = options;
  const version = findPostgres();
  if (version === undefined) throw new Error(String(lacksCitus()));
  const folder = await mkdtemp(join(tmpdir(), 'mongo2pg-citus-'));
  const servers: Server[] = [];
  const remove = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.crash()));
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const place = await preparePlace(folder, version, options);
    // A free port is only occupied once its server runs.
    for (let number = 0; number <= count; number++) servers.push(await Server.create(place, number));
    const [coordinator, ...nodes] = servers;
    if (coordinator === undefined) throw new RangeError('a cluster has a coordinator');
    await connectNodes(coordinator, nodes);
    return { coordinator, nodes, url: coordinator.url, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Shared by the servers of a cluster. */
interface Place {
  readonly folder: string;
  readonly programs: string;
  readonly account: Awaited<ReturnType<typeof resolveAccount>>;
  readonly password: string;
  readonly settings: Readonly<Record<string, string>>;
}

async function preparePlace(
  folder: string,
  version: string,
  { shards = 8, fsync = false }: CitusOptions,
): Promise<Place> {
  const account = await resolveAccount(join(folder, 'none'));
  const password = randomBytes(12).toString('hex');
  const own = async (path: string): Promise<void> => {
    if (account !== undefined) await chown(path, account.uid, account.gid);
  };
  await own(folder);
  // The servers use this file among each other; initdb reads the other one.
  for (const [name, text] of [
    ['pgpass', `127.0.0.1:*:*:postgres:${password}\n`],
    ['password', password],
  ] as const) {
    await writeFile(join(folder, name), text, { mode: 0o600 });
    await own(join(folder, name));
  }
  return {
    folder,
    programs: `/usr/lib/postgresql/${version}/bin`,
    account,
    password,
    settings: {
      shared_preload_libraries: 'citus',
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      max_connections: '200',
      fsync: fsync ? 'on' : 'off',
      'citus.node_conninfo': 'sslmode=disable',
      'citus.shard_count': String(shards),
      'citus.enable_statistics_collection': 'off',
    },
  };
}

class Server implements CitusServer {
  readonly port: number;
  readonly url: string;
  readonly #place: Place;
  readonly #clusterDir: string;
  #running: ChildServer | undefined;

  private constructor(place: Place, port: number, clusterDir: string) {
    this.port = port;
    this.url = `postgres://postgres:${place.password}@127.0.0.1:${port}/postgres`;
    this.#place = place;
    this.#clusterDir = clusterDir;
  }

  static async create(place: Place, number: number): Promise<Server> {
    const { folder, programs, account } = place;
    const clusterDir = join(folder, `server-${number}`);
    await mkdir(clusterDir, { mode: 0o700 });
    if (account !== undefined) await chown(clusterDir, account.uid, account.gid);
    const { isOk, output } = await runProgram(
      `${programs}/initdb`,
      [
        `--pgdata=${clusterDir}`,
        '--username=postgres',
        `--pwfile=${join(folder, 'password')}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C.UTF-8',
        '--no-sync',
      ],
      account,
    );
    if (!isOk) throw new Error(`initdb: ${output}`);
    const server = new Server(place, await findFreePort(), clusterDir);
    await server.start();
    await server.query('CREATE EXTENSION citus');
    return server;
  }

  async start(): Promise<void> {
    if (this.#running !== undefined) return;
    const { folder, programs, account, settings } = this.#place;
    const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const { cwd, env } = serverSpawnOptions;
    this.#running = await startChildServer(
      `${programs}/postgres`,
      ['-D', this.#clusterDir, '-p', String(this.port), ...args],
      /database system is ready to accept connections/,
      { ...account, cwd, env: { ...env, PGPASSFILE: join(folder, 'pgpass') } },
    );
  }

  async crash(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.end('SIGQUIT');
  }

  async restart(): Promise<void> {
    await this.crash();
    await this.start();
  }

  async query(sql: string): Promise<void> {
    const client = new pg.Client({ connectionString: this.url });
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  }
}

async function connectNodes(coordinator: Server, nodes: readonly Server[]): Promise<void> {
  await coordinator.query(`SELECT citus_set_coordinator_host('127.0.0.1', ${coordinator.port})`);
  for (const { port } of nodes) await coordinator.query(`SELECT citus_add_node('127.0.0.1', ${port})`);
}
