/** What a worker does with each batch once it is transcoded: load it, compare it, or collect its keys. */

import { createLedgerClaim, createRelayedClaim } from '../../postgres/ledger/claim.ts';
import { Loader } from '../../postgres/load/load.ts';
import { accountOf, type LoadableBatch } from '../../postgres/load/loadable-batch.ts';
import type { Session } from '../../postgres/connection/session.ts';
import type { Batch } from '../../source/page.ts';
import type { Ack, BatchAccount } from '../../observe/ack.ts';
import type { WorkerSettings } from '../../postgres/worker-settings.ts';

export type TaskResult = Pick<Ack, keyof BatchAccount | 'isDuplicate' | 'steps' | 'comparison' | 'merge'>;

export interface Task {
  /** Can be called again for the same batch, if it is unknown whether another worker has committed it. */
  perform(batch: Batch, encoded: LoadableBatch): Promise<TaskResult>;
}

/** The sessions of a connection of a worker; the same one, unless it loads through a node of Citus. */
export interface TaskSessions {
  /** Where batches are loaded. */
  readonly loading: () => Promise<Session>;
  /** Where the ledger is. */
  readonly ledger: () => Promise<Session>;
}

/** Imports only what the purpose needs, since every worker waits for it. */
export async function createTask(sessions: TaskSessions, settings: WorkerSettings): Promise<Task> {
  if (settings.purpose === 'load') return createLoad(await sessions.loading(), sessions, settings);
  const session = await sessions.ledger();
  switch (settings.purpose) {
    case 'repair': {
      const { Comparer } = await import('../../postgres/compare/comparison.ts');
      const { appendIds } = await import('../../postgres/follow/journal.ts');
      const { stream } = settings;
      if (stream === undefined) throw new RangeError('a repair is of a stream');
      const comparer = new Comparer(session, settings, async (client, wrong) => {
        if (wrong.length === 0) return;
        await appendIds(
          client,
          stream,
          wrong.map(({ idBson }) => idBson),
        );
      });
      return {
        perform: async (batch, encoded) => ({
          ...unwritten(encoded),
          comparison: await comparer.compare(batch, encoded),
        }),
      };
    }
    case 'compare': {
      const { Comparer } = await import('../../postgres/compare/comparison.ts');
      const comparer = new Comparer(session, settings);
      return {
        perform: async (batch, encoded) => ({
          ...unwritten(encoded),
          comparison: await comparer.compare(batch, encoded),
        }),
      };
    }
    case 'prove': {
      const { Prover } = await import('../../postgres/follow/prover.ts');
      const prover = new Prover(session, settings);
      return {
        perform: async (batch, encoded) => ({
          ...unwritten(encoded),
          comparison: await prover.prove(batch, encoded),
        }),
      };
    }
    case 'merge': {
      const { Merger } = await import('../../postgres/follow/merge.ts');
      const merger = new Merger(session, settings);
      return {
        perform: async (batch, encoded) => {
          const merge = await merger.merge(batch, encoded);
          const { inserted, updated, deadLettered, isStale } = merge;
          const { documentCount } = batch;
          const dropped = isStale ? 0 : (encoded.sources?.dropped.length ?? 0);
          const account = { documentCount, copied: inserted + updated, deadLettered, dropped, addedRows: 0 };
          return { ...account, isDuplicate: isStale, merge };
        },
      };
    }
    case 'collect-keys': {
      const { collectKeys } = await import('../../postgres/compare/key-collection.ts');
      const { plan, runId, postgresUrl } = settings;
      return {
        perform: async (batch, encoded) => {
          await collectKeys(session, { plan, runId, batch, encoded }, postgresUrl);
          return unwritten(encoded);
        },
      };
    }
  }
}

function createLoad(session: Session, { ledger }: TaskSessions, settings: WorkerSettings): Task {
  const { runId, plan, nodeUrl } = settings;
  const claim =
    nodeUrl === undefined
      ? createLedgerClaim(runId, plan.collection)
      : createRelayedClaim(runId, plan.collection, ledger);
  const loader = new Loader(session, settings, claim, async (batch, encoded) => {
    const { findKeptRows } = await import('../../postgres/compare/kept-rows.ts');
    return await findKeptRows(await ledger(), { ...settings, batch, encoded });
  });
  return { perform: (batch, encoded) => loader.load(batch, encoded) };
}

/** Nothing is written to the table, so that there are no duplicates. */
function unwritten(encoded: LoadableBatch): TaskResult {
  return { isDuplicate: false, ...accountOf(encoded) };
}
