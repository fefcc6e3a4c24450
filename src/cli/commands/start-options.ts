/** What a start reads from files before it begins, so that a mistake in one is reported before anything is started or written. */

import type { Config } from '../../config/config.ts';
import { embedded } from '../../config/server-urls.ts';
import { chooseTransform } from '../../plan/choose-transform.ts';
import type { PlanFile } from '../../plan/file/plan-schema.ts';
import type { TransformFile } from '../../transcode/plan.ts';

/** What a start needs beside its settings. */
export interface StartOptions {
  readonly planFile: PlanFile | null;
  readonly transform: TransformFile | null;
  readonly isTrial: boolean;
}

/** @throws UsageError */
export async function readStartOptions(config: Config): Promise<StartOptions> {
  const planFile = await openPlanFile(config);
  const transform = await chooseTransform(config, planFile);
  await checkScripts(config);
  await checkReportPlace(config);
  return { planFile, transform, isTrial: config.mongoUrl.is(embedded) && config.postgresUrl.is(embedded) };
}

/** Loaded only if there is a plan: the code that checks it takes as long to load as a worker takes to start. */
async function openPlanFile({ plan }: Pick<Config, 'plan'>): Promise<PlanFile | null> {
  if (plan === undefined) return null;
  const { readPlanFile } = await import('../../plan/file/plan-file.ts');
  return await readPlanFile(plan);
}

async function checkScripts(config: Pick<Config, 'beforeSql' | 'afterSql'>): Promise<void> {
  if ((config.beforeSql ?? config.afterSql) === undefined) return;
  const { readScripts } = await import('../../run/job/scripts.ts');
  await readScripts(config);
}

async function checkReportPlace({ report }: Pick<Config, 'report'>): Promise<void> {
  if (report === undefined) return;
  const { requireReportPlace } = await import('../../observe/report/report-place.ts');
  await requireReportPlace(report);
}
