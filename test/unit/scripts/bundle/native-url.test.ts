/** In the bundle the driver's connection strings are parsed with Node's own URL: the result is the same. */

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import fc from '../../../support/fast-check.ts';

interface Parsed {
  readonly hosts: string[];
  readonly username: string;
  readonly password: string;
  readonly pathname: string;
  readonly searchParams: Iterable<[string, string]>;
  toString(): string;
}

type Parser = { readonly ConnectionString: new (url: string) => Parsed };

const name = 'mongodb-connection-string-url';
const theirs = createRequire(import.meta.url)(name) as Parser;
const natives = loadWithNativeUrl();

/** As the bundle has it. */
function loadWithNativeUrl(): Parser {
  const require = createRequire(import.meta.url);
  const url = createRequire(require.resolve(name)).resolve('whatwg-url');
  const [parserBefore, urlBefore] = [require.cache[require.resolve(name)], require.cache[url]];
  assert.ok(parserBefore && urlBefore);
  Reflect.deleteProperty(require.cache, require.resolve(name));
  require.cache[url] = Object.assign(Object.create(urlBefore) as typeof urlBefore, {
    exports: { URL, URLSearchParams },
  });
  try {
    return require(name) as Parser;
  } finally {
    require.cache[url] = urlBefore;
    require.cache[require.resolve(name)] = parserBefore;
  }
}

/** The driver refuses a part that cannot be unescaped, whichever of its other characters are escaped. */
function unescaped(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}

function read({ ConnectionString }: Parser, url: string): unknown {
  try {
    const parsed = new ConnectionString(url);
    const { hosts, username, password, pathname, searchParams } = parsed;
    // As the driver reads them. Of the characters that need no escape, the two escape others.
    const parts = [username, password, pathname].map(unescaped);
    return { hosts, parts, params: [...searchParams] };
  } catch (error) {
    return { refused: (error as Error).name };
  }
}

describe('a connection string', () => {
  for (const url of [
    'mongodb://localhost',
    'mongodb://user:p%40ss%2Fw%25rd@a.example:27018,b.example,[::1]:27019/school?replicaSet=rs0&TLS=true&tls=false',
    'mongodb+srv://user:pass@cluster.example.net/?retryWrites=true&w=majority&readPreferenceTags=dc:ny,rack:1&readPreferenceTags=',
    'mongodb://%2Ftmp%2Fmongodb-27017.sock/school',
    'mongodb://übung:paß@bücher.example/schüler?appName=a b+c',
    'mongodb://u:p@h/a%20b%00?x=%zz&authMechanismProperties=SERVICE_NAME:other,CANONICALIZE_HOST_NAME:true',
    'mongodb://a:b:c@host',
    'mongodb://a:@a.aa/%^?=',
    'mongodb://host:99999',
    'mongodb://host:0x1',
    'mongodb:///nohost',
    'mongodb://',
    'http://host',
  ]) {
    it(`is the same, or refused in the same way: ${url}`, () => {
      assert.notEqual(natives.ConnectionString, theirs.ConnectionString);
      assert.deepEqual(read(natives, url), read(theirs, url));
    });
  }

  it('is the same with any parts, except for characters beyond U+FFFF, which whatwg-url corrupts', () => {
    const part = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.webFragments());
    fc.assert(
      fc.property(part, part, fc.domain(), part, part, part, (user, password, host, db, key, value) => {
        for (const encode of [encodeURIComponent, (text: string): string => text]) {
          const [u, p, d, k, v] = [user, password, db, key, value].map((text) =>
            encode(text.replaceAll(/[\ud800-\udfff]/g, '')),
          );
          const url = `mongodb://${u}:${p}@${host}/${d}?${k}=${v}`;
          assert.deepEqual(read(natives, url), read(theirs, url), url);
        }
      }),
      { numRuns: 300 },
    );
  });
});
