/** Formats numbers, sizes and times for people. */

/** 1,234,567 */
export function formatCount(count: number): string {
  // Not by `toLocaleString`, whose first call loads the locale's data: tens of milliseconds in each process that counts.
  return String(Math.round(count)).replace(/\B(?=(?:\d{3})+$)/g, ',');
}

/** 0.8 s, 42 s, 3 min 20 s, 2 h 5 min */
export function formatDuration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** 12.3 MB; a megabyte is a million bytes. */
export function formatMegabytes(bytes: number): string {
  const megabytes = bytes / 1_000_000;
  return `${megabytes < 100 ? megabytes.toFixed(1) : formatCount(megabytes)} MB`;
}

/** 2026-11-29 10:00 UTC */
export function formatMinute(date: Date): string {
  return `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** 1 worker, 2 workers */
export function formatPlural(count: number, noun: string, plural = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : plural}`;
}

/** 86%; the share is from 0 to 1 */
export function formatPercent(share: number): string {
  return `${Math.round(share * 100)}%`;
}
