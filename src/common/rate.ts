/** A limit per second, as users write it: `5000` documents, `20MB`, or `none` for no limit. */

import { formatCount, formatMegabytes } from './format.ts';

export interface Rate {
  readonly unit: 'documents' | 'bytes';
  /** Whole, from 1. */
  readonly perSecond: number;
}

const bytesPerMegabyte = 1_000_000;

/** @returns null for no limit; undefined if the text is not a rate */
export function readRate(text: string): Rate | null | undefined {
  if (text === 'none') return null;
  const match = /^([0-9][0-9_]*(?:\.[0-9]+)?)(MB)?$/i.exec(text);
  const amount = Number(match?.[1]?.replaceAll('_', ''));
  const unit = match?.[2] === undefined ? 'documents' : 'bytes';
  const perSecond = unit === 'bytes' ? Math.round(amount * bytesPerMegabyte) : amount;
  return Number.isSafeInteger(perSecond) && perSecond >= 1 ? { unit, perSecond } : undefined;
}

/** The text that `readRate` reads. */
export function writeRate(rate: Rate | null): string {
  if (rate === null) return 'none';
  const { unit, perSecond } = rate;
  return unit === 'documents' ? String(perSecond) : `${perSecond / bytesPerMegabyte}MB`;
}

/** For people. */
export function describeRate(rate: Rate | null): string {
  if (rate === null) return 'no limit';
  const { unit, perSecond } = rate;
  return unit === 'documents' ? `${formatCount(perSecond)} documents/s` : `${formatMegabytes(perSecond)}/s`;
}
