/**
 * Amounts over time in bounded memory: if there are too many points, pairs are merged and the interval doubles. Times are in
 * milliseconds, of the same clock as the start.
 */

/** Enough for a plot of the width of a page: about a pixel each. */
const defaultMaxPoints = 240;
/** Fine enough for short runs, which take a few seconds. */
const defaultIntervalMs = 50;

/** Amounts, which are added up (documents), or levels, of which the highest counts (memory). */
type Kind = 'sum' | 'peak';

interface Track {
  readonly kind: Kind;
  /** Undefined for intervals without data. */
  values: (number | undefined)[];
}

export class TimeSeries {
  readonly #startMs: number;
  readonly #maxPoints: number;
  readonly #tracks = new Map<string, Track>();
  #intervalMs: number;
  #length = 0;

  constructor(startMs: number, maxPoints = defaultMaxPoints, intervalMs = defaultIntervalMs) {
    this.#startMs = startMs;
    this.#maxPoints = maxPoints;
    this.#intervalMs = intervalMs;
  }

  get intervalMs(): number {
    return this.#intervalMs;
  }

  /** The number of intervals so far, the same for every track. */
  get length(): number {
    return this.#length;
  }

  /** Extends the series to this time. */
  extend(atMs: number): void {
    while (this.#indexOf(atMs) >= this.#maxPoints) this.#halve();
    this.#length = Math.max(this.#length, this.#indexOf(atMs) + 1);
  }

  /** Adds an amount, spread evenly over the span. */
  add(name: string, fromMs: number, toMs: number, amount: number): void {
    this.extend(toMs);
    const { values } = this.#track(name, 'sum');
    const [first, last] = [this.#indexOf(fromMs), this.#indexOf(toMs)];
    for (let index = first; index <= last; index++) {
      const beginMs = index === first ? fromMs : this.#startMs + index * this.#intervalMs;
      const endMs = index === last ? toMs : this.#startMs + (index + 1) * this.#intervalMs;
      const part = first === last ? 1 : (endMs - beginMs) / (toMs - fromMs);
      values[index] = (values[index] ?? 0) + amount * part;
    }
  }

  /** Records a level at one moment. */
  raise(name: string, atMs: number, level: number): void {
    this.extend(atMs);
    const { values } = this.#track(name, 'peak');
    const index = this.#indexOf(atMs);
    values[index] = Math.max(values[index] ?? level, level);
  }

  /** One number per interval. Without data, a sum is 0, and a level that of the interval before. */
  read(name: string): number[] {
    const track = this.#tracks.get(name);
    let before = 0;
    return Array.from({ length: this.#length }, (_, index) => {
      const value = track?.values[index];
      if (track?.kind === 'peak') before = value ?? before;
      return value ?? before;
    });
  }

  #track(name: string, kind: Kind): Track {
    const known = this.#tracks.get(name);
    if (known !== undefined) return known;
    const track: Track = { kind, values: [] };
    this.#tracks.set(name, track);
    return track;
  }

  /** Times before the start count as the start. */
  #indexOf(atMs: number): number {
    return Math.max(0, Math.floor((atMs - this.#startMs) / this.#intervalMs));
  }

  #halve(): void {
    this.#intervalMs *= 2;
    this.#length = Math.ceil(this.#length / 2);
    for (const track of this.#tracks.values()) {
      const { kind, values } = track;
      track.values = Array.from({ length: Math.ceil(values.length / 2) }, (_, index) =>
        merge(kind, values[2 * index], values[2 * index + 1]),
      );
    }
  }
}

function merge(kind: Kind, a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return kind === 'sum' ? a + b : Math.max(a, b);
}
