/** A source with documents in memory, for tests of samples. */

import { serialize, type Document } from 'bson';
import type { Sample, Source } from '../../src/source/source.ts';

export interface FakeSourceOptions {
  readonly method?: Sample['method'];
  readonly requiredFields?: string[];
}

export function createFakeSource(documents: readonly Document[], options: FakeSourceOptions = {}): Source {
  return {
    name: 'school.users',
    identity: null,
    requireUnchanged: () => Promise.resolve(),
    estimateCount: () => Promise.resolve(documents.length),
    sample: (size) => {
      const sampled = documents.slice(0, size).map((document) => serialize(document));
      return Promise.resolve({ documents: sampled, method: options.method ?? 'random' });
    },
    hints: {
      requiredFields: () => Promise.resolve(options.requiredFields ?? []),
      listIndexes: () => Promise.resolve([]),
    },
    pages: () => {
      throw new Error('a plan reads no pages');
    },
  };
}
