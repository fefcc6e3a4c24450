/** The user's SQL, which is run once before a copy and once after it: partitions, grants, views. */

import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { describeSelection } from '../../config/collection-choice.ts';
import type { Config } from '../../config/config.ts';
import { UsageError } from '../../common/errors.ts';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import { formatMinute, formatPlural } from '../../common/format.ts';
import { primarySession, type Audience } from '../connections.ts';
import { runCancellable } from '../../postgres/connection/cancel.ts';
import { inTransaction, withSession } from '../../postgres/connection/session.ts';
import { hasTable } from '../../postgres/connection/relations.ts';
import { createLedger } from '../../postgres/ledger/ledger.ts';
import {
  closeScripts,
  forgetScripts,
  readDoneScript,
  runScript,
  scriptSetting,
  type DoneScript,
  type Script,
  type ScriptOutcome,
  type ScriptScope,
  type ScriptStage,
} from '../../postgres/ledger/scripts.ts';

/** The scripts of a start; null for a stage without one. */
export type Scripts = Readonly<Record<ScriptStage, Script | null>>;

/** @throws UsageError for a file that cannot be read, or is not UTF-8 */
export async function readScripts({
  beforeSql,
  afterSql,
}: Pick<Config, 'beforeSql' | 'afterSql'>): Promise<Scripts> {
  return { before: await readScript('before', beforeSql), after: await readScript('after', afterSql) };
}

async function readScript(stage: ScriptStage, file: string | undefined): Promise<Script | null> {
  if (file === undefined) return null;
  const fix = `correct ${scriptSetting(stage)}: it must name an SQL file in UTF-8.`;
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new UsageError(`the script ${file} cannot be read (${reason})`, {
      code: 'SCRIPT_UNREADABLE',
      fix,
      cause: error,
    });
  }
  if (!isUtf8(bytes) || bytes.includes(0)) {
    throw new UsageError(`the script ${file} is not text in UTF-8`, { code: 'SCRIPT_UNREADABLE', fix });
  }
  // Some editors on Windows begin a file with a byte order mark.
  const sql = bytes.toString('utf8').replace(/^\ufeff/, '');
  return { stage, sql, sha256: createHash('sha256').update(bytes).digest() };
}

export interface ScriptRunnerOptions {
  readonly config: Config;
  readonly scripts: Scripts;
  /** The name of the source's database. */
  readonly sourceDb: string;
  /** The servers are trial servers: a finished copy is repeated without asking. */
  readonly isTrial: boolean;
  readonly audience: Audience;
}

export class ScriptRunner {
  readonly #options: ScriptRunnerOptions;
  readonly #scope: ScriptScope;

  constructor(options: ScriptRunnerOptions) {
    this.#options = options;
    const { config, sourceDb } = options;
    this.#scope = scopeOf(config, sourceDb);
  }

  /** To be called before anything is copied. @throws TargetError with the place in the file */
  async runBefore(): Promise<void> {
    const { config, scripts, isTrial } = this.#options;
    if (scripts.before === null && scripts.after === null) return;
    const which = chooseForgotten(config, isTrial);
    await this.#inSession(createLedger);
    await this.#inSession(async (client) => {
      if (which !== 'none') await forgetScripts(client, this.#scope, which);
    });
    await this.#run(scripts.before);
  }

  /**
   * To be called when everything is copied, or cut over if it is followed.
   * @param failed number of failed collections; if there are any, the script is not run
   * @throws TargetError with the place in the file
   */
  async runAfter(failed: number): Promise<void> {
    const { scripts } = this.#options;
    if (scripts.before === null && scripts.after === null) return;
    if (failed === 0) {
      await this.#run(scripts.after);
      await this.#inSession((client) => closeScripts(client, this.#scope));
    } else if (scripts.after !== null) {
      this.#notice(
        `AFTER_SQL is not carried out yet: ${formatPlural(failed, 'collection')} could not be copied`,
      );
    }
  }

  async #run(script: Script | null): Promise<void> {
    if (script === null) return;
    const name = scriptSetting(script.stage);
    this.#notice(`carrying out ${name}`);
    const notify = (message: string): void => {
      this.#notice(`${name}: ${message}`);
    };
    let outcome: ScriptOutcome | undefined;
    try {
      await this.#inSession(async (client) => {
        outcome = await withNotices(client, notify, () => runScript(client, this.#scope, script));
        await reachFailpoint('primary-in-script');
      });
    } catch (error) {
      // If the user has interrupted it, the error is not one of the script.
      this.#options.audience.signal.throwIfAborted();
      throw error;
    }
    await reachFailpoint('primary-after-script');
    if (outcome?.kind === 'done-before') this.#notice(describeDoneBefore(name, outcome));
  }

  /** In one transaction on a connection of its own, since a script may change settings of both. */
  async #inSession(work: (client: pg.Client) => Promise<void>): Promise<void> {
    const { config, audience } = this.#options;
    const { signal } = audience;
    const session = { ...primarySession(config, audience), applicationName: 'mongo2pg script' };
    await withSession(session, (opened) =>
      runCancellable(opened, session.url, signal, (client) => inTransaction(client, work)),
    );
  }

  #notice(message: string): void {
    this.#options.audience.onEvent({ kind: 'notice', message });
  }
}

/** @returns which scripts a start runs again */
function chooseForgotten({ restart, ifExists }: Config, isTrial: boolean): 'all' | 'closed' | 'none' {
  if (restart) return 'all';
  return ifExists === 'drop' || ifExists === 'truncate' || isTrial ? 'closed' : 'none';
}

function scopeOf(config: Config, sourceDb: string): ScriptScope {
  return { sourceDb, schema: config.postgresSchema, selection: describeSelection(config) };
}

/** What a start would do with a script, as a message. Reads only. */
export async function forecastScript(
  client: pg.Client,
  script: Script,
  { config, sourceDb, isTrial }: Pick<ScriptRunnerOptions, 'config' | 'sourceDb' | 'isTrial'>,
): Promise<string> {
  const name = scriptSetting(script.stage);
  const done = (await hasTable(client, { schema: 'mongo2pg', table: 'scripts' }))
    ? await readDoneScript(client, scopeOf(config, sourceDb), script)
    : null;
  const forgotten = chooseForgotten(config, isTrial);
  const isForgotten = forgotten === 'all' || (forgotten === 'closed' && done?.isClosed === true);
  if (done !== null && !isForgotten) return describeDoneBefore(name, done);
  return script.stage === 'before'
    ? `${name} would be carried out first; what it creates is not there yet, and this dry run does without it`
    : `${name} would be carried out once everything is copied`;
}

async function withNotices<T>(
  client: pg.Client,
  notify: (message: string) => void,
  work: () => Promise<T>,
): Promise<T> {
  const onNotice = ({ message }: { readonly message: string | undefined }): void => {
    if (message !== undefined) notify(message);
  };
  client.on('notice', onNotice);
  try {
    return await work();
  } finally {
    client.off('notice', onNotice);
  }
}

function describeDoneBefore(
  name: string,
  { doneAt, isSameFile }: Pick<DoneScript, 'doneAt' | 'isSameFile'>,
): string {
  const when = formatMinute(doneAt);
  const changed = isSameFile ? '' : '; its file has changed since, and is not carried out';
  return `${name} was carried out already, ${when}${changed}`;
}
