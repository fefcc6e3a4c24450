/** Describes the outcome of an index. */

import { formatDuration } from '../common/format.ts';
import type { IndexAccount } from './summary.ts';

export function describeIndex(account: IndexAccount): string {
  switch (account.outcome) {
    case 'built':
      return `index ${account.name}: built in ${formatDuration(account.durationMs)}${describeNotices(account.notices)}`;
    case 'present':
      return `index ${account.name}: already exists${describeNotices(account.notices)}`;
    case 'left':
      return `index ${account.index}: not carried over: ${account.reason}`;
  }
}

function describeNotices(notices: readonly string[]): string {
  return notices.length === 0 ? '' : `; ${notices.join('; ')}`;
}
