/** Errors of change streams, with the labels by which a client knows whether to open the stream again. */
import { CommandError, ErrorCode } from '../errors.ts';

/** https://github.com/mongodb/specifications/blob/master/source/change-streams/change-streams.md#resumable-error */
const resumableCodes = new Set([
  ...[6, 7, 43, 63, 89, 91, 133, 150, 189, 234, 262, 9001, 10107, 11600, 11602, 13388, 13435, 13436],
]);

/** The stream cannot continue, and cannot be resumed from its position. */
export class FatalStreamError extends CommandError {
  constructor(code: number, message: string) {
    super(code, message, ['NonResumableChangeStreamError']);
  }
}

export function historyLost(): FatalStreamError {
  return new FatalStreamError(
    ErrorCode.changeStreamHistoryLost,
    'Executor error during getMore :: caused by :: Resume of change stream was not possible, as the resume point may no longer be in the oplog.',
  );
}

/** As the server reports an error of a stream. */
export function labelError(error: unknown): unknown {
  return error instanceof CommandError && error.errorLabels.length === 0 && resumableCodes.has(error.code)
    ? new CommandError(error.code, error.message, ['ResumableChangeStreamError'])
    : error;
}
