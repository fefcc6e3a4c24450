/**
 * Everything that is decided before a run writes anything: whether it begins or resumes, its plan, and that the target allows it. A
 * dry run stops after this.
 */

import { UsageError } from '../../common/errors.ts';
import { invoke } from '../../config/invocation.ts';
import type { Config, IfExists } from '../../config/config.ts';
import { describeChoices, type ChoiceConfig } from '../../plan/choices.ts';
import { planIndexes, type LeftIndex } from '../../plan/indexes/index-plan.ts';
import type { ReadChildren } from '../../plan/fit-plan-to-table.ts';
import type { PlanConfig } from '../../plan/infer-plan.ts';
import { makePlan } from '../../plan/make-plan.ts';
import type { Plan, TransformFile } from '../../transcode/plan.ts';
import {
  decideRun,
  describeRun,
  requireSameTransform,
  type RunDecision,
} from '../../postgres/ledger/run-decision.ts';
import type { Run, RunSettings } from '../../postgres/ledger/runs.ts';
import { readMajorVersion } from '../../postgres/connection/server-check.ts';
import type { Session } from '../../postgres/connection/session.ts';
import { hasTable } from '../../postgres/connection/relations.ts';
import {
  requireDistributable,
  requireFollowable,
  requireOnNodes,
} from '../../postgres/table/distribution.ts';
import { readChildTables, readTable } from '../../postgres/table/table.ts';
import { requireTarget, type TargetUse, type TargetWork } from '../../postgres/table/target-check.ts';
import type { IndexSpec } from '../../source/index-spec.ts';
import type { Sample, Source } from '../../source/source.ts';
import type { PlanFile } from '../../plan/file/plan-schema.ts';

export interface PreparationOptions {
  readonly config: ChoiceConfig &
    PlanConfig &
    Pick<Config, 'ifExists' | 'restart' | 'indexes' | 'verify' | 'citusNodeUrl'>;
  readonly session: Session;
  readonly source: Source;
  readonly table: Pick<Plan, 'schema' | 'table'>;
  /** The plan to follow, or null to infer one. */
  readonly planFile: PlanFile | null;
  /** Tables of other collections of the same job. */
  readonly otherTables: readonly string[];
  /** The transform, or null. */
  readonly transform: TransformFile | null;
  /** See `RunRequest`. */
  readonly jobId: string | null;
  readonly isTrial: boolean;
  /** The stream, if changes are followed. */
  readonly stream?: RunStream;
}

/** The stream that a run is copied for. */
export interface RunStream {
  readonly streamId: string;
  /** The run that has copied the collection for the stream, or is copying it, if any. */
  readonly runId: string | null;
}

export type Preparation =
  /** See `RunDecision`. */
  | (RunDecision & { readonly kind: 'done' })
  | ({ readonly kind: 'continue'; readonly run: Run } & Outlook)
  | ({
      readonly kind: 'begin';
      readonly settings: RunSettings;
      readonly ifExists: IfExists;
      /** See `RunDecision`. */
      readonly removes: string | null;
      /** The sample from which the plan was inferred; null if none was needed. */
      readonly sample: Sample | null;
    } & Outlook);

interface Outlook {
  readonly work: TargetWork;
  /** Whether the tables are, or will be, distributed over nodes. */
  readonly isDistributed: boolean;
  /** The collection's indexes that are to be carried over. */
  readonly specs: readonly IndexSpec[];
  /** Indexes without an equivalent in Postgres. */
  readonly leftIndexes: readonly LeftIndex[];
  /** Messages for the user. */
  readonly notices: readonly string[];
}

/** @throws MigrationError, or the errors of pg */
export async function prepareRun(options: PreparationOptions): Promise<Preparation> {
  const { config, session, source, table, planFile, transform, jobId, isTrial, stream } = options;
  const { ifExists, restart: isRestart } = config;
  const followedRun = stream?.runId ?? null;
  const choices = describeChoices(config, planFile, transform);
  const settings = { source: source.name, collectionId: source.identity, choices };
  const request = { table, settings, ifExists, isRestart, isTrial, jobId, followedRun };
  const decision = await session.run((client) => decideRun(client, request));
  if (decision.kind !== 'begin' && stream !== undefined && decision.run.runId !== followedRun) {
    throw new UsageError(
      `${describeRun(decision.run)} was begun without --follow: what changed since then is not known`,
      {
        code: 'RUN_NOT_FOLLOWED',
        fix: `start from scratch with --restart (of several collections: --restart-only), or run ${invoke('repair')}, which compares, and copies what differs.`,
      },
    );
  }
  if (decision.kind !== 'begin') requireSameTransform(decision.run, transform);
  if (decision.kind === 'done') return decision;
  if (decision.kind === 'begin') return await prepareBeginning(options, settings, decision);
  const { run } = decision;
  const { isOwnTable } = run;
  const outlook = await lookAhead(options, { plan: run.settings.plan, ifExists: 'continue', isOwnTable });
  return { kind: 'continue', run, ...outlook };
}

async function prepareBeginning(
  options: PreparationOptions,
  settings: Omit<RunSettings, 'plan'>,
  decision: RunDecision & { readonly kind: 'begin' },
): Promise<Preparation> {
  const { config, session, source, table, planFile, stream } = options;
  // Changes are merged by the _id.
  const keepsId = stream === undefined ? {} : { keepsId: true as const };
  const transform = options.transform === null ? null : { ...options.transform, ...keepsId };
  const { ifExists } = decision;
  const existing = ifExists === 'drop' ? null : await session.run((client) => readTable(client, table));
  const readChildren: ReadChildren = (children) =>
    session.run((client) => readChildTables(client, table.schema, children));
  const { otherTables } = options;
  const made = await makePlan(
    ...([source, table, config, planFile, existing, readChildren, transform, otherTables] as const),
  );
  const { plan, notices, sample } = made;
  const outlook = await lookAhead(options, { plan, ifExists, isOwnTable: existing?.isOwn ?? true });
  const allNotices = [...notices, ...outlook.notices];
  return { ...decision, ...outlook, settings: { ...settings, plan }, sample, notices: allNotices };
}

async function lookAhead(
  { config, session, source, jobId, stream }: PreparationOptions,
  use: Pick<TargetUse, 'plan' | 'ifExists' | 'isOwnTable'>,
): Promise<Outlook> {
  const { plan, ifExists } = use;
  const specs = config.indexes === 'carry' ? ((await source.hints?.listIndexes()) ?? []) : [];
  const { verify: isVerified } = config;
  return await session.run(async (client) => {
    const isNew = ifExists === 'drop' || !(await hasTable(client, plan));
    const wanted = { plan, isNew, isWanted: config.distribute };
    const isDistributed = await requireDistributable(client, wanted);
    if (stream !== undefined) await requireFollowable(client, wanted);
    if (config.citusNodeUrl !== undefined) await requireOnNodes(client, wanted);
    const version = await readMajorVersion(client);
    const { planned: indexes, left } = planIndexes(specs, plan, { version, isDistributed });
    const work = await requireTarget(client, { ...use, indexes, isVerified, isInJob: jobId !== null });
    return { work, isDistributed, specs, leftIndexes: left, notices: work.notices };
  });
}
