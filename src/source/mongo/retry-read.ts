/** Retries a read that failed with a transient error, with backoff. */

import { retry } from '../../common/retry.ts';
import { explainMongoError, isTransientMongoError } from './mongo-errors.ts';

export interface ReadRetry {
  /** How long to retry, from the first failure on. */
  readonly retryLimitMs: number;
  /** Called when a read has failed and is retried. */
  readonly onRetry?: (reason: string) => void;
  /** Ends the retries with its reason. */
  readonly signal?: AbortSignal;
}

/** @param read must be safe to repeat. @throws the last error of `read`, or the signal's reason */
export function retryRead<T>(
  read: () => Promise<T>,
  { retryLimitMs: limitMs, onRetry, signal }: ReadRetry,
): Promise<T> {
  return retry(read, {
    limitMs,
    isTransient: isTransientMongoError,
    onRetry: (error, attempt) => {
      if (attempt === 1) onRetry?.(error instanceof Error ? error.message : String(error));
    },
    ...(signal === undefined ? {} : { signal }),
  });
}

/** `retryRead` with explained errors. @throws SourceError that says what to do, or the signal's reason */
export async function readFrom<T>(url: string, read: () => Promise<T>, options: ReadRetry): Promise<T> {
  try {
    return await retryRead(read, options);
  } catch (error) {
    throw explainMongoError(error, url);
  }
}
