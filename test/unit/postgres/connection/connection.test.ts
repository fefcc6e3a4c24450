import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import pg from 'pg';
import { describePostgres, explainPostgresError } from '../../../../src/postgres/connection/connection.ts';

const url = 'postgres://me:hunt3r-2@db.example/shop?statement_timeout=1';

function databaseError(code: string, message: string): pg.DatabaseError {
  return Object.assign(new pg.DatabaseError(message, 0, 'error'), { code });
}

describe('explained errors of PostgreSQL', () => {
  it('a statement_timeout is reported as such, and not as a server that does not answer', () => {
    const canceled = databaseError('57014', 'canceling statement due to statement timeout');
    const { code, message, fix } = explainPostgresError(canceled, url);
    assert.equal(code, 'POSTGRES_CANCELLED');
    assert.match(
      message,
      /db\.example:5432\/shop cancelled a statement: canceling statement due to statement timeout/,
    );
    assert.match(fix, /leave it out of POSTGRES_URL, or have ALTER ROLE me SET statement_timeout = 0/);
  });

  it("the driver's query_timeout as well", () => {
    const { code, fix } = explainPostgresError(new Error('Query read timeout'), url);
    assert.deepEqual([code, fix], ['POSTGRES_CANCELLED', 'leave query_timeout out of POSTGRES_URL.']);
  });

  it('a connection timeout is a server that does not answer', () => {
    assert.equal(explainPostgresError(new Error('timeout expired'), url).code, 'POSTGRES_SILENT');
  });
});

describe('a URL of PostgreSQL', () => {
  it('is shown as host, port and database, including defaults', () => {
    assert.equal(describePostgres(url), 'db.example:5432/shop');
    assert.equal(describePostgres('postgres:///shop'), 'localhost:5432/shop');
  });
});
