/** Makes the primary of a replica set step down, as in planned maintenance. */

import type { ChildProcess } from 'node:child_process';
import { MongoClient, MongoServerError } from 'mongodb';
import { waitUntil } from './embedded.ts';

/** Fulfilled when another member takes writes. */
export async function stepDownPrimary(url: string): Promise<void> {
  const client = await MongoClient.connect(url, { retryReads: false });
  try {
    const before = await askPrimary(client);
    await waitUntil('the primary steps down', () => tryStepDown(client));
    await waitUntil('another member is primary', async () => {
      const now = await askPrimary(client).catch(() => undefined);
      return now?.electionId !== undefined && now.electionId !== before?.electionId;
    });
  } finally {
    await client.close();
  }
}

/** A URL here asks for a step-down of that set in each run of the command that reads it. */
export const stepDownVariable = 'TEST_STEP_DOWN_URL';

/** Makes the primary step down at the run's first output, when it begins to read. */
export async function stepDownDuring(child: ChildProcess): Promise<void> {
  const url = process.env[stepDownVariable];
  if (url === undefined) return;
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error('stdout or stderr is not a pipe');
  const isSpeaking = await new Promise<boolean>((resolve) => {
    for (const stream of [stdout, stderr]) {
      stream.once('data', () => {
        resolve(true);
      });
    }
    child.once('close', () => {
      resolve(false);
    });
  });
  if (isSpeaking) await stepDownPrimary(url);
}

/** @returns undefined while there is none */
async function askPrimary(client: MongoClient): Promise<{ electionId: string } | undefined> {
  const { isWritablePrimary, electionId } = await client.db('admin').command({ hello: 1 });
  return isWritablePrimary === true ? { electionId: String(electionId) } : undefined;
}

/** False while no secondary has caught up, or the set has no primary. */
async function tryStepDown(client: MongoClient): Promise<boolean> {
  try {
    await client.db('admin').command({ replSetStepDown: 2, secondaryCatchUpPeriodSecs: 1 });
    return true;
  } catch (error) {
    if (!(error instanceof MongoServerError)) throw error;
    return false;
  }
}
