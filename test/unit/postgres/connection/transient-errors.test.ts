import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import pg from 'pg';
import {
  isConnectionLost,
  isTransient,
  isRefusal,
  isRefusalSql,
  isRestarting,
} from '../../../../src/postgres/connection/transient-errors.ts';

function databaseError(code: string): pg.DatabaseError {
  const error = new pg.DatabaseError('as Postgres says it', 0, 'error');
  error.code = code;
  return error;
}

function socketError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** How work that failed with an error is handled. */
function fateOf(error: unknown): 'reconnect' | 'repeat' | 'row by row' | 'stop' {
  if (isConnectionLost(error)) {
    assert.ok(isTransient(error), 'a lost connection passes');
    assert.ok(!isRefusal(error), 'a lost connection is not about a row');
    return 'reconnect';
  }
  if (isTransient(error)) return 'repeat';
  return isRefusal(error) ? 'row by row' : 'stop';
}

describe('the handling of failed work', () => {
  for (const [fate, codes] of Object.entries({
    reconnect: ['57P01', '57P02', '57P03', '57P05', '25P03', '25P04', '53300', '08000', '08006', '08P01'],
    repeat: ['40001', '40P01', '55P03', '57014'],
    'row by row': [
      ...['0A000', '21000', '22003', '22P02', '23502', '23505', '44000', '54000', 'P0001', '38000'],
      // Classes that Postgres does not have.
      ...['45000', 'AB123', 'UE001'],
    ],
    // A full disk, no memory, a limit of the configuration, a privilege, a password, a dropped database, a bug.
    stop: ['53100', '53200', '53400', '42501', '42P01', '28P01', '3D000', '57P04', '58030', 'XX000'],
  })) {
    for (const code of codes) {
      it(`${code}: ${fate}`, () => {
        assert.equal(fateOf(databaseError(code)), fate);
      });
    }
  }

  it('an error that is raised or checked at a row is about that row, unless it is transient', () => {
    for (const routine of ['ExecWithCheckOptions', 'exec_stmt_raise']) {
      const fate = (code: string) => fateOf(Object.assign(databaseError(code), { routine }));
      for (const code of ['42501', '55000', '2BP01']) assert.equal(fate(code), 'row by row');
      for (const code of ['53100', '58030', 'XX000']) assert.equal(fate(code), 'stop');
      assert.equal(fate('40001'), 'repeat');
      assert.equal(fate('57P01'), 'reconnect');
    }
    assert.equal(fateOf(Object.assign(databaseError('42501'), { routine: 'aclcheck_error' })), 'stop');
  });

  it('an error of Postgres without a code: stop', () => {
    assert.equal(fateOf(new pg.DatabaseError('?', 0, 'error')), 'stop');
  });

  for (const code of [
    'ECONNREFUSED',
    'ECONNRESET',
    'EPIPE',
    'ETIMEDOUT',
    'EHOSTUNREACH',
    'EAI_AGAIN',
    'ENOTFOUND',
  ]) {
    it(`${code} of a socket: reconnect`, () => {
      assert.equal(fateOf(socketError(code)), 'reconnect');
    });
  }

  it('ENOENT of a Unix socket: reconnect; of any other file: stop', () => {
    const missing = socketError('ENOENT');
    assert.equal(fateOf(Object.assign(missing, { syscall: 'connect' })), 'reconnect');
    assert.equal(fateOf(Object.assign(missing, { syscall: 'open' })), 'stop');
    assert.equal(fateOf(socketError('ENOENT')), 'stop');
  });

  it('the first connection is retried if the server reports a restart', () => {
    for (const code of ['57P01', '57P02', '57P03']) assert.ok(isRestarting(databaseError(code)));
    // More likely a wrong URL, or a limit that stays.
    for (const code of ['28P01', '3D000', '53300']) assert.ok(!isRestarting(databaseError(code)));
    for (const code of ['ECONNREFUSED', 'ENOTFOUND', 'ETIMEDOUT']) {
      assert.ok(!isRestarting(socketError(code)));
    }
  });

  it('a name with several addresses, none of which answers: reconnect', () => {
    const refused = [socketError('ECONNREFUSED'), socketError('EHOSTUNREACH')];
    assert.equal(fateOf(new AggregateError(refused)), 'reconnect');
    assert.equal(fateOf(new AggregateError([...refused, socketError('EACCES')])), 'stop');
  });

  for (const message of [
    'Connection terminated',
    'Connection terminated unexpectedly',
    'Client has encountered a connection error and is not queryable',
    'Client was closed and is not queryable',
    'timeout expired',
  ]) {
    it(`pg says “${message}”: reconnect`, () => {
      assert.equal(fateOf(new Error(message)), 'reconnect');
    });
  }

  it('anything else, such as a defect of ours: stop', () => {
    for (const error of [new TypeError('x is not a function'), socketError('EACCES'), 'text', undefined]) {
      assert.equal(fateOf(error), 'stop');
    }
  });

  it('the condition for plpgsql names the classes that are loaded row by row', () => {
    const [aside = [], known = []] = isRefusalSql
      .split(' OR ')
      .map((part) => [...part.matchAll(/'(..)'/g)].map(([, name]) => name ?? ''));
    for (const name of aside) assert.equal(fateOf(databaseError(`${name}999`)), 'row by row');
    assert.ok(aside.includes('23') && !aside.includes('53') && !aside.includes('40'));
    // Those that Postgres has and that are not loaded row by row; 08 is about connections.
    for (const name of known.filter((other) => !aside.includes(other) && other !== '08')) {
      assert.equal(fateOf(databaseError(`${name}999`)), 'stop');
    }
    assert.ok(['23', '40', '42', '53', 'XX'].every((name) => known.includes(name)));
  });
});
