/** Chooses round numbers for the ticks of an axis. */

/** The step between ticks: 1, 2 or 5 times a power of ten, for about `wantedTicks` ticks. */
export function chooseStep(max: number, wantedTicks: number): number {
  const rough = max / wantedTicks;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5].find((factor) => factor * power >= rough) ?? 10;
  return step * power;
}

/** Ticks from 0 to the first one that is not below `max`. */
export function ticksUpTo(max: number, wantedTicks: number): number[] {
  // There is an axis even if all values are 0.
  const end = max > 0 ? max : 1;
  const step = chooseStep(end, wantedTicks);
  // Subtracted because of rounding: 0.3 / 0.1 is a little more than 3.
  const count = Math.ceil(end / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, index) => index * step);
}

/** The step in milliseconds: round numbers of seconds, minutes or hours. */
const timeSteps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600].map((seconds) => seconds * 1000);

/** Ticks from 0 to `endMs`, none after it. */
export function timeTicksWithin(endMs: number, wantedTicks: number): number[] {
  const rough = endMs / wantedTicks;
  const long =
    timeSteps.find((step) => step >= rough) ?? chooseStep(endMs / 3_600_000, wantedTicks) * 3_600_000;
  const step = rough < 1000 ? chooseStep(endMs, wantedTicks) : long;
  return Array.from({ length: Math.floor(endMs / step) + 1 }, (_, index) => index * step);
}

/** 0.25 s, 45 s, 2:30 min, 1:05 h: short enough to fit under a tick. */
export function formatMoment(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 60) return `${Number(seconds.toFixed(2))} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${pad(Math.floor(seconds % 60))} min`;
  return `${Math.floor(seconds / 3600)}:${pad(Math.floor((seconds % 3600) / 60))} h`;
}

function pad(count: number): string {
  return String(count).padStart(2, '0');
}
