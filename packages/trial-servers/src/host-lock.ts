/** The lock on one embedded server's directory: which host process serves it, for whom, and how far it has come. */
import { randomUUID } from 'node:crypto';
import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { unlessCode } from '../../../src/common/fs-errors.ts';
import { createPrivateFile, replacePrivateFile } from './private-file.ts';
import { isSameProcessAlive } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';

/** `run`: for one run. `held`: by the `servers` command, for any client. */
export type HostRole = 'run' | 'held';

export interface HostRecord {
  readonly role: HostRole;
  readonly state: 'starting' | 'ready' | 'stopping';
  /** Where the server listens; 0 until it is ready. */
  readonly port: number;
  readonly host: ProcessIdentity;
  /** The process that started the host, and without which the host ends. */
  readonly parent: ProcessIdentity;
}

export interface HostLock {
  update(change: Partial<Pick<HostRecord, 'state' | 'port'>>): Promise<void>;
  release(): Promise<void>;
}

/** Takes the lock of the directory, over a dead owner if need be; undefined while a live host has it. */
export async function claimHostLock(home: string, record: HostRecord): Promise<HostLock | undefined> {
  const path = lockPath(home);
  while (!(await createPrivateFile(path, JSON.stringify(record)))) {
    const text = await readLock(path);
    if (text === undefined) continue;
    if ((await findLive(text)) !== undefined) return undefined;
    if (!(await removeStale(path, text))) return undefined;
  }
  return openLock(path, record);
}

/** The live host of the directory, if there is one. */
export async function readLiveHost(home: string): Promise<HostRecord | undefined> {
  const text = await readLock(lockPath(home));
  return text === undefined ? undefined : await findLive(text);
}

function openLock(path: string, initial: HostRecord): HostLock {
  let record = initial;
  return {
    async update(change) {
      record = { ...record, ...change };
      await replacePrivateFile(path, JSON.stringify(record));
    },
    async release() {
      const current = parseRecord((await readLock(path)) ?? '');
      // Another process may have removed the whole directory and started again meanwhile.
      if (current?.host.startedAt === record.host.startedAt && current.host.pid === record.host.pid) {
        await rm(path, { force: true });
      }
    },
  };
}

/**
 * Removes a dead owner's lock; false when another process was faster. Renaming first makes sure that two
 * processes which both saw the dead owner do not remove the lock of whichever of them took over.
 */
async function removeStale(path: string, staleText: string): Promise<boolean> {
  const aside = `${path}.${randomUUID()}.stale`;
  if (
    (await unlessCode(
      rename(path, aside).then(() => true),
      'ENOENT',
    )) === undefined
  ) {
    return true;
  }
  try {
    if ((await readLock(aside)) === staleText) return true;
    await createPrivateFile(path, (await readLock(aside)) ?? '');
    return false;
  } finally {
    await rm(aside, { force: true });
  }
}

async function findLive(text: string): Promise<HostRecord | undefined> {
  const record = parseRecord(text);
  return record !== undefined && (await isSameProcessAlive(record.host)) ? record : undefined;
}

/** A text that does not parse was cut off by a crash of the machine, and its owner is as dead as its other processes. */
function parseRecord(text: string): HostRecord | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is HostRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { role, state, port, host, parent } = value as Partial<Record<keyof HostRecord, unknown>>;
  return (
    (role === 'run' || role === 'held') &&
    (state === 'starting' || state === 'ready' || state === 'stopping') &&
    typeof port === 'number' &&
    isIdentity(host) &&
    isIdentity(parent)
  );
}

function isIdentity(value: unknown): value is ProcessIdentity {
  return (
    typeof value === 'object' &&
    value !== null &&
    'pid' in value &&
    typeof value.pid === 'number' &&
    'startedAt' in value &&
    typeof value.startedAt === 'string'
  );
}

async function readLock(path: string): Promise<string | undefined> {
  return await unlessCode(readFile(path, 'utf8'), 'ENOENT');
}

function lockPath(home: string): string {
  return join(home, 'host.json');
}
