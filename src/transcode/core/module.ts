/** The core in this process: compiled once, and instantiated for each plan. */

import { readFileSync } from 'node:fs';

/** The part of WebAssembly that is used here: Node's types have none of it, and the DOM types too much. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

/** The buffer is replaced when the memory grows. */
interface Memory {
  readonly buffer: ArrayBuffer;
}

/** A number that changes. */
interface Global {
  readonly value: number;
}

/** Numbers are addresses in the module's memory; 0 if there was no room. See `assembly/index.ts`. */
export interface Core {
  readonly memory: Memory;
  addTable(
    names: number,
    columnCount: number,
    fieldCount: number,
    traits: number,
    style: number,
    maxJsonBytes: number,
    copies: number,
  ): number;
  setColumn(
    table: number,
    place: number,
    level: number,
    name: number,
    kind: number,
    traits: number,
    subtype: number,
    style: number,
  ): void;
  limitColumn(table: number, place: number, limit: number, scale: number): void;
  labelColumn(table: number, place: number, labels: number): void;
  makeArray(table: number, place: number, elementOid: number): void;
  addChild(level: number, name: number, traits: number, table: number, around: number): number;
  levelOf(table: number): number;
  addLevel(around: number, name: number, names: number): number;
  addNames(capacity: number, seed: number): number;
  makeName(size: number): number;
  nameBytes(name: number): number;
  placeName(names: number, name: number): void;
  dropName(name: number): void;
  nestNames(name: number, nested: number): void;
  outputOf(table: number): number;
  parentsOf(child: number): number;
  startOf(region: number): number;
  endOf(region: number): number;
  extend(region: number, size: number): number;
  openBatch(size: number): number;
  checkBatch(): number;
  run(table: number, maxRowBytes: number): number;
  readonly documentStart: Global;
  readonly documentEnd: Global;
  /** The position of the current document in the batch; after the last one, the number of documents. */
  readonly ordinal: Global;
  skipDocument(): void;
  countCounts(): number;
  countName(index: number): number;
  countType(index: number): number;
  countReason(index: number): number;
  takeCount(index: number): number;
}

/** Bundles are at the same depth as this file in `src`, so that the relative path is the same. */
const file = new URL('../../../src/transcode/core/core.wasm', import.meta.url);

let compiled: object | undefined;

/** @throws errors of WebAssembly (disabled, lacks a feature, no memory) or of the file system */
export function createCore(): Core {
  compiled ??= new WebAssembly.Module(readFileSync(file));
  const imports = {
    double: {
      fillPowers: (at: number, first: number, last: number) => {
        powers ??= makePowers(first, last);
        new Uint8Array(core.memory.buffer).set(powers, at);
      },
    },
  };
  const core = new WebAssembly.Instance(compiled, imports).exports as Core;
  return core;
}

/** Computed when the first double is written as text, which takes a millisecond. */
let powers: Uint8Array | undefined;

/** The 128 bits that each power of ten begins with, rounded up: the upper half first. See `assembly/double.ts`. */
function makePowers(first: number, last: number): Uint8Array {
  const view = new DataView(new ArrayBuffer((last - first + 1) * 16));
  for (let exponent = first; exponent <= last; exponent++) {
    const bits = leadingBits(exponent);
    const offset = (exponent - first) * 16;
    view.setBigUint64(offset, bits >> 64n, true);
    view.setBigUint64(offset + 8, BigInt.asUintN(64, bits), true);
  }
  return new Uint8Array(view.buffer);
}

function leadingBits(exponent: number): bigint {
  // Two numbers that have the power as their quotient, and so many bits more that 128 of these are left.
  const power = 10n ** BigInt(Math.abs(exponent));
  const length = Math.floor(exponent * Math.log2(10)) + 1;
  const shift = BigInt(128 - length);
  const [dividend, divisor] = exponent < 0 ? [1n, power] : [power, 1n];
  const scaled = shift < 0n ? dividend : dividend << shift;
  const unit = shift < 0n ? divisor << -shift : divisor;
  return (scaled + unit - 1n) / unit;
}
