import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { readConfig } from '../../../src/config/config.ts';
import { MigrationError } from '../../../src/common/errors.ts';
import { SecretUrl } from '../../../src/config/secret-url.ts';

/** Every way in which a value may be printed. */
function show(value: unknown): string {
  const deep = { depth: Infinity, showHidden: true, getters: true } as const;
  return [inspect(value, deep), JSON.stringify(value), String(value)].join('\n');
}

describe('a password in a URL', () => {
  const urls = {
    MONGO_URL: 'mongodb://user:hunt3r@host:27017,other/db?tlsCertificateKeyFilePassword=hunt3r',
    POSTGRES_URL: 'postgres://user:hunt3r@host/db?sslpassword=hunt3r',
  };

  it('is not shown by settings in any form of printing, but given to drivers', () => {
    const config = readConfig('start', {}, urls);
    assert.doesNotMatch(show(config), /hunt3r/);
    assert.doesNotMatch(show({ ...config }), /hunt3r/);
    assert.match(show(config), /\*\*\*@host/);
    assert.equal(config.mongoUrl.reveal(), urls.MONGO_URL);
    assert.equal(config.postgresUrl.reveal(), urls.POSTGRES_URL);
  });

  it('is not shown by errors about an invalid URL', () => {
    for (const env of [
      { ...urls, MONGO_URL: 'mongodb://user:hunt3r' },
      { ...urls, MONGO_URL: 'mongodb://user:hun@t3r:/@host:port' },
      { ...urls, MONGO_URL: 'mongodb://user:27/hunt3r@host/db' },
      { ...urls, POSTGRES_URL: 'postgres://user:27/hunt3r@host/db' },
      { ...urls, POSTGRES_URL: 'postgres://user:hunt3r@host:99999/db' },
      { ...urls, POSTGRES_URL: 'postgres://user:hunt3r@[host/db' },
      { ...urls, POSTGRES_URL: 'postgres://user:hunt3r@host/db?sslkey=/nowhere' },
      { ...urls, POSTGRES_SCHEMA: urls.POSTGRES_URL },
      { ...urls, SOURCE: urls.MONGO_URL },
    ]) {
      assert.throws(
        () => readConfig('start', {}, env),
        (error) => error instanceof MigrationError && !/hun|t3r/.test(show(error)),
      );
    }
  });

  it('may have any character', () => {
    for (const password of ['a@b', 'a b', 'a/b', 'a:b', 'a"b', 'a\nb', 'a?b']) {
      assert.ok(!show(new SecretUrl(`mongodb://user:${password}@host/db`)).includes(password), password);
    }
  });
});
