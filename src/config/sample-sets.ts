/** The sample sets of `seed`, beside users, and the default number of documents of each. */

export const sampleSizes = {
  films: 50_000,
  listings: 20_000,
  sales: 100_000,
  transactions: 20_000,
} as const;

export type SampleSet = keyof typeof sampleSizes;

export const sampleSets = ['users', 'films', 'listings', 'sales', 'transactions'] as const;
