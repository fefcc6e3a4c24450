/**
 * Gives a field of a finished run a column, which is filled from the extra column.
 *
 * States, recorded in the ledger: none → begun (the column is in the table and in the plan; pages are moved) → finished. The plan
 * changes first: rows that are merged or retried from then on have the column, and moved rows become equal to those.
 */

import type pg from 'pg';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import { UsageError } from '../../common/errors.ts';
import { formatCount, formatPlural } from '../../common/format.ts';
import { targetOptions, type Config, type TargetConfig } from '../../config/config.ts';
import { options as optionTable } from '../../config/options.ts';
import { invoke } from '../../config/invocation.ts';
import type { PromotionSummary } from '../../observe/promotion.ts';
import type { SeenType } from '../../plan/infer/column-type.ts';
import { choosePromotedType, definePromoted, mayFit, suggestType } from '../../plan/infer/promoted-type.ts';
import { byFrequency } from '../../plan/infer/seen.ts';
import { qualifiedName } from '../../postgres/connection/relations.ts';
import { requireServer } from '../../postgres/connection/server-check.ts';
import { withSession, type Session } from '../../postgres/connection/session.ts';
import { requireLedger, upgradeLedger } from '../../postgres/ledger/ledger.ts';
import {
  advancePromotion,
  fenceFollowers,
  findKnownTypes,
  finishPromotion,
  forgetComparisons,
  insertPromotion,
  listPromotions,
  lockPromotion,
  type PromotionRow,
} from '../../postgres/ledger/promotions.ts';
import { findRunById, replacePlan, type Run } from '../../postgres/ledger/runs.ts';
import { addColumn } from '../../postgres/promote/add-column.ts';
import { ExtraPages } from '../../postgres/promote/extra-pages.ts';
import { PromotedColumn } from '../../postgres/promote/fill.ts';
import { analyzeColumnStatement } from '../../postgres/table/ddl.ts';
import { columnTypeNames, type ColumnType } from '../../transcode/column-types/names.ts';
import type { Plan, PlanColumn } from '../../transcode/plan.ts';
import { KnownMeanings, type KnownTypes, PromotedValues } from '../../transcode/promoted-values.ts';
import {
  chooseColumn,
  findPromotedRun,
  refuseMissing,
  requireOwnTable,
  requirePromotable,
  requireRoom,
  type PromotionRequest,
} from './candidate.ts';
import { countAmbiguous, survey } from './survey.ts';

export type PromoteConfig = TargetConfig &
  Pick<Config, 'postgresSchema' | 'table' | 'field' | 'type' | 'column'>;

export interface PromoteOptions {
  /** Called with progress messages. */
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** The same call resumes after an interruption. @throws MigrationError */
export async function promote(config: PromoteConfig, options: PromoteOptions): Promise<PromotionSummary> {
  const request = readRequest(config);
  let table: Pick<Plan, 'schema' | 'table'> | null = null;
  const session = {
    ...targetOptions(config),
    applicationName: 'mongo2pg promote',
    signal: options.signal,
    onConnect: async (client: pg.Client) => {
      if (table !== null) await lockPromotion(client, table);
    },
  };
  return await withSession(session, async (opened) => {
    await opened.run(requireServer);
    await upgradeLedger(opened);
    const { runId, settings } = await opened.run(async (client) => {
      await requireLedger(client);
      return await findPromotedRun(client, request);
    });
    const { schema, table: name } = settings.plan;
    await opened.run((client) => lockPromotion(client, { schema, table: name }), 'long');
    table = { schema, table: name };
    // Read again, since it may have changed before the lock was taken.
    const run = await opened.run((client) => findRunById(client, runId));
    if (run === null) throw new Error(`run ${runId} was replaced`);
    await opened.run((client) => requireOwnTable(client, run, request));
    return await new Promotion(opened, run, request, options).execute();
  });
}

/** @throws UsageError */
function readRequest({ table, field, type, column, postgresSchema }: PromoteConfig): PromotionRequest {
  if (table === '' || field === '') {
    throw new UsageError('the table or the field to promote is missing', {
      code: 'PROMOTION_UNNAMED',
      fix: `such as: ${invoke('promote', 'customers nickname')}; ${invoke('status')} suggests some.`,
    });
  }
  const known = columnTypeNames.find((name) => name === type);
  if (type !== '' && known === undefined) {
    throw new UsageError(`--type must be one of ${columnTypeNames.join(', ')}, not ${JSON.stringify(type)}`, {
      code: 'OPTION_INVALID',
    });
  }
  return { schema: postgresSchema, table, field, type: known, column: column === '' ? undefined : column };
}

class Promotion {
  readonly #session: Session;
  readonly #run: Run;
  readonly #request: PromotionRequest;
  readonly #options: PromoteOptions;

  constructor(session: Session, run: Run, request: PromotionRequest, options: PromoteOptions) {
    this.#session = session;
    this.#run = run;
    this.#request = request;
    this.#options = options;
  }

  async execute(): Promise<PromotionSummary> {
    const before = await this.#find();
    if (before?.isFinished === true) return this.#summarize(before, true);
    if (before === undefined) await this.#begin();
    else this.#requireSame(before);
    await reachFailpoint('promote-after-begin');
    await this.#fill();
    await reachFailpoint('promote-before-finish');
    await this.#finish();
    await reachFailpoint('promote-after-finish');
    return this.#summarize(await this.#get(), false);
  }

  async #begin(): Promise<void> {
    const { plan } = this.#run.settings;
    const { runId } = this.#run;
    const { field } = this.#request;
    const session = this.#session;
    await session.run((client) => requirePromotable(client, plan, this.#request));
    const types = await session.run((client) => findKnownTypes(client, runId, plan, field));
    const column = await this.#choose(types === null ? null : new Set(types));
    const promoted: Plan = { ...plan, columns: [...plan.columns, column] };
    requireRoom(promoted);
    await reachFailpoint('promote-before-begin');
    const also = async (client: pg.Client): Promise<void> => {
      await insertPromotion(client, runId, column, types);
      await replacePlan(client, runId, promoted);
      await forgetComparisons(client, runId);
    };
    // In a transaction of its own: a merge that holds its slot waits for the table, which would deadlock.
    await session.transaction((client) => fenceFollowers(client, plan), 'long');
    await addColumn(session, plan, column, also, this.#options.signal);
  }

  /** Checks all values before anything is changed. @throws UsageError */
  async #choose(known: KnownTypes): Promise<PlanColumn> {
    const { plan, choices } = this.#run.settings;
    const { field, type: wanted } = this.#request;
    const { signal, say } = this.#options;
    const session = this.#session;
    const { jsonStyle = 'relaxed' } = plan;
    const pages = await session.run((client) => ExtraPages.open(client, plan, field));
    const found = await survey(session, pages, new KnownMeanings(jsonStyle, known), signal);
    if (found.count === 0) await session.run((client) => refuseMissing(client, plan, field));
    const { seen } = found;
    const counts = describeCounts(seen);
    say(
      `${formatPlural(found.count, 'row')} with ${JSON.stringify(field)} in ${plan.extraColumn ?? ''}: ${counts}`,
    );
    const objectId = choices[optionTable.objectId.env] === 'bytea' ? 'bytea' : 'text';
    const type = wanted ?? choosePromotedType(seen, objectId);
    if (type === null) throw refuseMixed(field, counts, suggestType(seen));
    if (!found.isAmbiguous && !mayFit(type, seen)) {
      throw new UsageError(`no value of ${JSON.stringify(field)} fits the type ${type}: they are ${counts}`, {
        code: 'NOTHING_FITS',
        fix: 'choose another --type, or leave it out.',
      });
    }
    const column = definePromoted(field, chooseColumn(this.#request), type, seen);
    if (type === 'json' || !found.isAmbiguous) return column;
    const values = new PromotedValues(plan, column, known);
    const ambiguous = await countAmbiguous(session, pages, values, signal);
    if (ambiguous > 0) throw refuseAmbiguous(field, type, jsonStyle, ambiguous);
    return column;
  }

  async #fill(): Promise<void> {
    const { plan, column, types, afterKey } = await this.#read();
    const session = this.#session;
    const { runId } = this.#run;
    const { signal } = this.#options;
    const pages = await session.run((client) => ExtraPages.open(client, plan, column.field));
    const promoted = new PromotedColumn(plan, column, types === null ? null : new Set(types), pages);
    for (let after = afterKey; ;) {
      signal.throwIfAborted();
      const from = after;
      const step = await session.transaction(async (client) => {
        const moved = await promoted.fill(client, from);
        if (moved !== null) await advancePromotion(client, runId, column.field, moved);
        await reachFailpoint('promote-in-page');
        return moved;
      }, 'long');
      if (step === null) return;
      after = step.afterKey;
      await reachFailpoint('promote-after-page');
    }
  }

  /** The promotion in the ledger. */
  async #read(): Promise<Pick<PromotionRow, 'types' | 'afterKey'> & { plan: Plan; column: PlanColumn }> {
    const { field } = this.#request;
    const run = await this.#session.run((client) => findRunById(client, this.#run.runId));
    const { types, afterKey, column: name } = await this.#get();
    const plan = run?.settings.plan;
    const column = plan?.columns.find(({ column: other }) => other === name);
    if (plan === undefined || column === undefined) throw new Error(`the plan has no column for ${field}`);
    return { plan, column, types, afterKey };
  }

  async #finish(): Promise<void> {
    const { plan } = this.#run.settings;
    const { runId } = this.#run;
    const { field } = this.#request;
    await this.#session.transaction(async (client) => {
      await finishPromotion(client, runId, field);
      await forgetComparisons(client, runId);
    });
    const { column } = await this.#get();
    await this.#session.run((client) => client.query(analyzeColumnStatement(plan, column)), 'long');
  }

  /** @throws UsageError */
  #requireSame({ field, type, column }: PromotionRow): void {
    const wanted = this.#request;
    if ((wanted.type ?? type) === type && (wanted.column ?? column) === column) return;
    throw new UsageError(
      `the promotion of ${JSON.stringify(field)} was begun with the type ${type} and the column ${JSON.stringify(column)}`,
      {
        code: 'PROMOTION_BEGUN_DIFFERENTLY',
        fix: 'finish it first: run the same command without --type and --column.',
      },
    );
  }

  async #find(): Promise<PromotionRow | undefined> {
    const rows = await this.#session.run((client) => listPromotions(client, this.#run.runId));
    return rows.find(({ field }) => field === this.#request.field);
  }

  async #get(): Promise<PromotionRow> {
    const row = await this.#find();
    if (row === undefined) throw new Error(`the ledger has no promotion of ${this.#request.field}`);
    return row;
  }

  #summarize(row: PromotionRow, isRepeated: boolean): PromotionSummary {
    const { field, column, type, promoted, nulls, left } = row;
    const { plan, source } = this.#run.settings;
    const place = { runId: this.#run.runId, source, table: qualifiedName(plan) };
    return { ...place, field, column, type, promoted, nulls, left, isRepeated };
  }
}

function describeCounts(seen: ReadonlyMap<SeenType, number>): string {
  return byFrequency(seen)
    .map(([type, count]) => `${type} ${formatCount(count)}`)
    .join(', ');
}

function refuseMixed(field: string, counts: string, type: ColumnType): UsageError {
  const most = type === 'json' ? '' : `--type ${type} leaves the others in place, `;
  return new UsageError(`${JSON.stringify(field)} has values of several types: ${counts}`, {
    code: 'TYPE_UNDECIDED',
    fix: `choose one: ${most}--type json takes all.`,
  });
}

function refuseAmbiguous(field: string, type: string, style: string, count: number): UsageError {
  const why =
    style === 'plain'
      ? 'plain JSON does not distinguish numbers, dates, ids and text'
      : 'a double and an int64 with that many digits have the same text';
  return new UsageError(
    `${formatPlural(count, 'value')} of ${JSON.stringify(field)} may come from different values, which a column of type ${type} would store differently: ${why}`,
    {
      code: 'VALUES_AMBIGUOUS',
      fix: `--type json keeps them as they are; for ${type}, copy the collection again with a plan: ${invoke('plan', '--out plan.json')}.`,
    },
  );
}
