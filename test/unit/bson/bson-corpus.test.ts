/** What is read and written of BSON and Extended JSON, against the corpus of MongoDB's drivers. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { wrapBytes } from '../../../src/bson/cursor.ts';
import { JsonToBson } from '../../../src/bson/json/json-to-bson.ts';
import { JsonWriter } from '../../../src/bson/json/json-writer.ts';
import { Output } from '../../../src/bson/output.ts';
import { bsonTypes } from '../../../src/bson/types.ts';
import { checkDocument } from '../../../src/bson/values.ts';
import { readDriversTests, skipDriversTests } from '../../support/drivers-tests.ts';

interface CorpusFile {
  readonly description: string;
  readonly valid?: readonly ValidCase[];
  readonly decodeErrors?: readonly { description: string; bson: string }[];
  readonly parseErrors?: readonly { description: string; string: string }[];
}

interface ValidCase {
  readonly description: string;
  readonly canonical_bson: string;
  readonly canonical_extjson: string;
  readonly relaxed_extjson?: string;
  readonly degenerate_bson?: string;
  readonly degenerate_extjson?: string;
  /** Whether a conversion to JSON and back loses something, such as the bits of a NaN. */
  readonly lossy?: boolean;
}

/** Input that the corpus requires to be refused and is read here, and why nothing is lost. */
const lenient: { pattern: RegExp; reason: string }[] = [
  {
    pattern: /\$(?:oid|number\w+|code|date|minKey|maxKey) \(extra field|same level as \$timestamp/,
    reason: 'it is a document like any other, and is kept as one',
  },
  {
    pattern:
      /\$(?:number(?:Int|Long|Double)|date) \(number|\$(?:min|max)Key \((?:boolean|wrong)|\$binary \(type|'[ti]' type is string/,
    reason: 'Extended JSON of version 1 and older tools write it so',
  },
];

/** In jsonb -0.0 would be 0. */
const differsInRelaxed = new Set(['-0.0']);
/** The options of a regular expression are kept in the order in which they are stored. */
const differsWhenDegenerate = new Set(['flags not alphabetized']);

describe('the BSON corpus of the drivers', { skip: skipDriversTests }, () => {
  for (const [name, text] of readDriversTests('bson-corpus')) {
    const file = JSON.parse(text) as CorpusFile;
    describe(`${name}: ${file.description}`, () => {
      for (const valid of file.valid ?? []) {
        it(valid.description, () => {
          checkValid(valid);
        });
      }
      for (const { description, bson } of file.decodeErrors ?? []) {
        it(`refuses: ${description}`, () => {
          assert.throws(() => writeJson(Buffer.from(bson, 'hex'), 'canonical'));
        });
      }
      for (const { description, string } of file.parseErrors ?? []) {
        const reason = lenient.find(({ pattern }) => pattern.test(description))?.reason;
        if (reason === undefined) {
          it(`refuses JSON: ${description}`, () => {
            assert.throws(() => convert(string));
          });
        } else {
          it(`reads JSON: ${description}: ${reason}`, () => {
            writeJson(convert(string), 'canonical');
          });
        }
      }
    });
  }
});

function checkValid(valid: ValidCase): void {
  const bson = Buffer.from(valid.canonical_bson, 'hex');
  const keepsOptions = differsWhenDegenerate.has(valid.description);
  const canonical = normalize(valid.canonical_extjson);
  assert.deepEqual(normalize(writeJson(bson, 'canonical')), canonical);
  if (valid.relaxed_extjson !== undefined && !differsInRelaxed.has(valid.description)) {
    assert.deepEqual(normalize(writeJson(bson, 'relaxed')), normalize(valid.relaxed_extjson));
  }
  if (valid.degenerate_bson !== undefined && !keepsOptions) {
    const degenerate = Buffer.from(valid.degenerate_bson, 'hex');
    assert.deepEqual(normalize(writeJson(degenerate, 'canonical')), canonical);
  }
  if (valid.lossy === true) return;
  assert.equal(convert(valid.canonical_extjson).toString('hex'), bson.toString('hex'));
  if (valid.degenerate_extjson !== undefined && !keepsOptions) {
    assert.equal(convert(valid.degenerate_extjson).toString('hex'), bson.toString('hex'));
  }
}

function convert(json: string): Buffer {
  return new JsonToBson().convert(Buffer.from(json));
}

/** The whole document as text. NUL is stripped, since jsonb cannot hold it. */
function writeJson(document: Buffer, style: 'relaxed' | 'canonical'): string {
  const output = new Output(1);
  const bytes = wrapBytes(document);
  // As in splitting a page: the length must be that of the bytes.
  assert.equal(checkDocument(bytes.view, 0, document.length), document.length);
  const writer = new JsonWriter({ style, nul: 'strip', keepsOrder: false });
  writer.writeValue(bytes, bsonTypes.object, 0, document.length, output);
  return output.bytes.toString('utf8', 0, output.position);
}

/** Parsed, without NUL, and with doubles as numbers: 1E+18 and 1000000000000000000.0 are the same one. */
function normalize(json: string): unknown {
  return JSON.parse(json, (key, value: unknown) => {
    if (key === '$numberDouble' && value !== '-0.0') return Number(value);
    return typeof value === 'string' ? value.replaceAll('\0', '') : value;
  });
}
