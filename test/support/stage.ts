/**
 * Where the commands of a document run as a reader runs them: a folder that is a checkout to npm, and servers whose
 * databases have the names that documents use.
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { MongoClient } from 'mongodb';
import type pg from 'pg';
import { pollUntil } from '../../src/common/poll.ts';
import { createClient } from './date-style.ts';
import { stepLimitMs, testLimitMs } from './limits.ts';
import { startPrivateMongo, startPrivatePostgres } from './private-servers.ts';
import { writeQuickNpm } from './quick-npm.ts';

/** The user's own servers. The documents call the database `school`, and its owner `user`. */
export interface StageServers {
  readonly mongo: MongoClient;
  readonly mongoUrl: string;
  readonly postgresUrl: string;
  /** Connected to `school` as superuser. */
  query(sql: string): Promise<pg.QueryResult<string[]>[]>;
  /** Reset: no documents, no tables, no users that a document has created. */
  clear(): Promise<void>;
  stop(): Promise<void>;
}

export async function startStageServers(): Promise<StageServers> {
  const [mongoServer, postgres] = await Promise.all([startPrivateMongo(), startPrivatePostgres()]);
  const mongo = await MongoClient.connect(mongoServer.url);
  const admin = createClient(postgres.url);
  await admin.connect();
  await admin.query(`CREATE ROLE "user" SUPERUSER LOGIN PASSWORD 'password'`);
  const { rows } = await admin.query<{ rolname: string }>('SELECT rolname FROM pg_roles');
  const known = rows.map(({ rolname }) => rolname);
  const postgresUrl = postgres.url.replace(/\/[^/]*$/, '/school');
  return {
    mongo,
    mongoUrl: mongoServer.url,
    postgresUrl,
    query: async (sql) => {
      const client = createClient(postgresUrl);
      await client.connect();
      try {
        // As text, like psql shows it.
        const types = { getTypeParser: () => (value: string) => value };
        return [await client.query({ text: sql, rowMode: 'array', types })].flat() as never;
      } finally {
        await client.end();
      }
    },
    clear: async () => {
      const { databases } = await mongo.db('admin').admin().listDatabases({ nameOnly: true });
      for (const { name } of databases) await mongo.db(name).dropDatabase();
      await admin.query('DROP DATABASE IF EXISTS school WITH (FORCE)');
      const made = await admin.query<{ rolname: string }>(
        'SELECT rolname FROM pg_roles WHERE rolname <> ALL ($1)',
        [known],
      );
      for (const { rolname } of made.rows) await admin.query(`DROP ROLE "${rolname}"`);
      await admin.query('CREATE DATABASE school');
    },
    stop: async () => {
      await mongo.close();
      await admin.end();
      await Promise.all([mongoServer.remove(), postgres.remove()]);
    },
  };
}

/** `checkout`: as after `npm ci`, with the URLs in `.env`; `new checkout`: without that; `elsewhere`: an empty folder. */
export type StageKind = 'checkout' | 'new checkout' | 'elsewhere';

export interface Outcome {
  readonly code: number | null;
  /** Standard output and standard error. */
  readonly text: string;
}

export interface RunningCommand {
  /** All that it has printed so far. */
  readonly text: string;
  /** To all of its group, as a terminal does. */
  signal(name: NodeJS.Signals): void;
  readonly ended: Promise<Outcome>;
}

/** Of this process. */
const usedScripts = join(tmpdir(), `mongo2pg-scripts-${process.pid}`);
process.once('exit', () => {
  rmSync(usedScripts, { recursive: true, force: true });
});

export class Stage {
  readonly folder: string;
  readonly servers: StageServers;

  private constructor(folder: string, servers: StageServers) {
    this.folder = folder;
    this.servers = servers;
  }

  static async set(servers: StageServers, kind: StageKind): Promise<Stage> {
    const folder = await mkdtemp(join(tmpdir(), 'mongo2pg-docs-'));
    // As root, the embedded Postgres runs as another user, who needs access.
    await chmod(folder, 0o755);
    const stage = new Stage(folder, servers);
    await servers.clear();
    if (kind === 'elsewhere') {
      await stage.write('package.json', JSON.stringify({ private: true, type: 'module' }));
      return stage;
    }
    // Uses the existing build, since building again would disturb tests that run in parallel.
    const { scripts, ...manifest } = JSON.parse(await readFile('package.json', 'utf8')) as {
      scripts: Record<string, string>;
    };
    const kept = Object.entries(scripts).filter(([name]) => !name.startsWith('pre'));
    await stage.write('package.json', JSON.stringify({ ...manifest, scripts: Object.fromEntries(kept) }));
    await writeQuickNpm(join(folder, 'bin'), usedScripts, Object.fromEntries(kept));
    for (const name of ['dist', 'node_modules']) await symlink(resolve(name), join(folder, name));
    // Inline workers, which need no start-up: a new checkout uses the default.
    const env = `MONGO_URL=${servers.mongoUrl}\nPOSTGRES_URL=${servers.postgresUrl}\nCLUSTER_IMPLEMENTATION=inline\n`;
    if (kind === 'checkout') await stage.write('.env', env);
    return stage;
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Replaces the servers in a document by those of the stage. */
  async write(path: string, text: string | Uint8Array): Promise<void> {
    await mkdir(dirname(join(this.folder, path)), { recursive: true });
    await writeFile(join(this.folder, path), typeof text === 'string' ? this.#reach(text) : text);
  }

  /** @param end the signal that interrupts it, once a batch is committed and another one is not */
  async shell(command: string, end: 'SIGINT' | 'SIGKILL' | null = null): Promise<Outcome> {
    const failpoints = await mkdtemp(join(this.folder, 'failpoints-'));
    const pause = {
      MONGO2PG_FAILPOINTS: 'worker-before-commit=pause@2x*',
      MONGO2PG_FAILPOINTS_DIR: failpoints,
    };
    const child = spawn('bash', ['-c', this.#reach(command)], {
      cwd: this.folder,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...this.#environment(), ...(end === null ? {} : pause) },
    });
    const signal = (name: NodeJS.Signals): void => {
      // To all of its group, as a terminal does.
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, name);
    };
    const timer = setTimeout(signal, stepLimitMs, 'SIGKILL');
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (part: string) => (text += part));
    }
    const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
    if (end !== null) {
      const fired = join(failpoints, 'worker-before-commit.1.fired');
      const has = await pollUntil(
        async () => (await readFile(fired).catch(() => undefined)) !== undefined || undefined,
        stepLimitMs,
      );
      assert.ok(has, `not in the middle of its work: ${text}`);
      signal(end);
      await writeFile(join(failpoints, 'worker-before-commit.resume'), '');
    }
    const [status, ended] = await closed;
    clearTimeout(timer);
    // As a shell reports it.
    const code = ended === null ? status : 128 + constants.signals[ended];
    return { code, text: text.replaceAll(this.folder, '/home/you/mongo2pg') };
  }

  /** A command that keeps running, in another terminal. */
  start(command: string): RunningCommand {
    const child = spawn('bash', ['-c', command], {
      cwd: this.folder,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: this.#environment(),
    });
    const signal = (name: NodeJS.Signals): void => {
      const isOver = child.exitCode !== null || child.signalCode !== null;
      if (child.pid !== undefined && !isOver) process.kill(-child.pid, name);
    };
    const timer = setTimeout(signal, testLimitMs, 'SIGKILL');
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (part: string) => (text += part));
    }
    const closed = once(child, 'close') as Promise<[number | null]>;
    return {
      get text() {
        return text;
      },
      signal,
      ended: closed.then(([code]) => {
        clearTimeout(timer);
        return { code, text };
      }),
    };
  }

  #environment(): NodeJS.ProcessEnv {
    return {
      PATH: `${join(this.folder, 'bin')}:${process.env.PATH ?? ''}`,
      HOME: this.folder,
      npm_config_cache: process.env.npm_config_cache ?? join(process.env.HOME ?? '', '.npm'),
      npm_config_userconfig: process.env.npm_config_userconfig ?? join(process.env.HOME ?? '', '.npmrc'),
      npm_config_update_notifier: 'false',
      npm_config_prefer_offline: 'true',
      npm_config_audit: 'false',
    };
  }

  #reach(text: string): string {
    const { host: mongo } = new URL(this.servers.mongoUrl.replace('mongodb:', 'http:'));
    const { host: postgres } = new URL(this.servers.postgresUrl.replace('postgres:', 'http:'));
    return (
      text
        .replaceAll('postgres://…', this.servers.postgresUrl)
        .replaceAll(/(postgres:\/\/[^@\s]+)@host:5432\//g, `$1@${postgres}/`)
        // The embedded one has no users.
        .replaceAll(/mongodb:\/\/(…|[^@\s]+@host:27017)/g, `mongodb://${mongo}`)
    );
  }
}
