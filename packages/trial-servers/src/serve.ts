/** The `servers` command: runs both embedded servers for a command, or until it is stopped. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { ExitCode, stopSignals, UsageError } from '../../../src/common/errors.ts';
import { hasCode } from '../../../src/common/fs-errors.ts';
import { startEmbeddedMongo, startEmbeddedPostgres } from './servers.ts';
import type { EmbeddedPostgres, EmbeddedServer } from './servers.ts';

export interface HoldOptions {
  /** Prints a line for the user; not on standard output, which is the command's. */
  readonly writeLine: (line: string) => void;
}

interface Servers {
  readonly postgres: EmbeddedPostgres;
  readonly mongo: EmbeddedServer;
}

/**
 * Fulfilled with the exit code: the command's own, as a shell gives it (128 + signal), or 0 after a signal to stop.
 * Rejects with the error of a server that does not start, or that ends before it should.
 */
export async function holdServers(
  config: { readonly dataDir: string; readonly command: readonly string[] },
  { writeLine }: HoldOptions,
): Promise<number> {
  const servers = await startBoth(config.dataDir, writeLine);
  try {
    const [file, ...args] = config.command;
    if (file !== undefined) return await runCommand(file, args, servers);
    announce(servers, writeLine);
    const owned = Object.values(servers).filter(({ isOwned }: EmbeddedServer) => isOwned);
    if (owned.length > 0) await waitForEnd(owned);
    return ExitCode.ok;
  } finally {
    await stopBoth(servers);
  }
}

async function startBoth(dataDir: string, onNotice: (message: string) => void): Promise<Servers> {
  const options = { dataDir, role: 'held', onNotice } as const;
  const [postgres, mongo] = await Promise.allSettled([
    startEmbeddedPostgres(options),
    startEmbeddedMongo(options),
  ]);
  if (postgres.status === 'fulfilled' && mongo.status === 'fulfilled') {
    return { postgres: postgres.value, mongo: mongo.value };
  }
  if (postgres.status === 'fulfilled') await postgres.value.stop();
  if (mongo.status === 'fulfilled') await mongo.value.stop();
  throw postgres.status === 'rejected' ? postgres.reason : (mongo as PromiseRejectedResult).reason;
}

async function stopBoth({ postgres, mongo }: Servers): Promise<void> {
  // npm passes on a Ctrl-C that the terminal has sent already, and the second must not cut the end short.
  const ignore = (): void => undefined;
  for (const signal of stopSignals) process.on(signal, ignore);
  try {
    const ends = await Promise.allSettled([postgres.stop(), mongo.stop()]);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  } finally {
    for (const signal of stopSignals) process.off(signal, ignore);
  }
}

function announce({ postgres, mongo }: Servers, writeLine: (line: string) => void): void {
  writeLine(`MongoDB     ${mongo.url}`);
  writeLine(`PostgreSQL  postgres://postgres@127.0.0.1:${postgres.port}/mongo2pg`);
  writeLine(
    `            PGPASSFILE=${quoteForShell(postgres.pgpassPath)} psql -h 127.0.0.1 -p ${postgres.port} -U postgres mongo2pg`,
  );
  if (postgres.isOwned || mongo.isOwned) writeLine('Ctrl-C stops the servers; their data stays.');
  else writeLine('Another `servers` command holds them.');
}

async function waitForEnd(owned: readonly EmbeddedServer[]): Promise<void> {
  // Neither a signal's listener nor a server keeps the process alive.
  const keepAlive = setInterval(() => undefined, 2 ** 30);
  const listening = new AbortController();
  try {
    const signals = stopSignals.map((name) => once(process, name, { signal: listening.signal }));
    const first = await Promise.race([
      ...signals.map((signal) => signal.then(() => undefined)),
      ...owned.map(({ ended }) => ended),
    ]);
    if (first !== undefined) throw first;
  } finally {
    clearInterval(keepAlive);
    listening.abort();
  }
}

async function runCommand(
  file: string,
  args: readonly string[],
  { postgres, mongo }: Servers,
): Promise<number> {
  const child = spawn(file, args, {
    stdio: 'inherit',
    env: { ...process.env, MONGO_URL: mongo.url, POSTGRES_URL: postgres.url, ...postgres.psqlEnv },
  });
  // Ctrl-C reaches the command itself, to which it may mean no more than "stop this query".
  const ignore = (): void => undefined;
  const forward = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  process.on('SIGINT', ignore);
  process.on('SIGTERM', forward);
  process.on('SIGHUP', forward);
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    return signal === null ? (code ?? ExitCode.internal) : 128 + constants.signals[signal];
  } catch (error) {
    if (hasCode(error, 'ENOENT')) {
      throw new UsageError(`there is no program named ${file}`, {
        code: 'PROGRAM_MISSING',
        fix: 'Install it, or give its full path.',
        cause: error,
      });
    }
    if (hasCode(error, 'EACCES')) {
      throw new UsageError(`${file} is not a program that can be run`, {
        code: 'PROGRAM_NOT_EXECUTABLE',
        cause: error,
      });
    }
    throw error;
  } finally {
    process.off('SIGINT', ignore);
    process.off('SIGTERM', forward);
    process.off('SIGHUP', forward);
  }
}

function quoteForShell(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
