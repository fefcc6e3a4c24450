import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  MongoAPIError,
  MongoInvalidArgumentError,
  MongoNetworkError,
  MongoNetworkTimeoutError,
  MongoParseError,
  MongoServerError,
  MongoServerSelectionError,
} from 'mongodb';
import { ExitCode, SourceError } from '../../../../src/common/errors.ts';
import { explainMongoError, isTransientMongoError } from '../../../../src/source/mongo/mongo-errors.ts';
import { DriverFaultError } from '../../../../src/source/mongo/raw-errors.ts';

function serverError(code: number, errorLabels: string[] = []): MongoServerError {
  return new MongoServerError({ message: `code ${code}`, code, errorLabels });
}

const selectionError = new MongoServerSelectionError('connect ECONNREFUSED 10.0.0.1:27017', {} as never);

describe('errors of MongoDB after which a page is read again', () => {
  // A step-down, exceeded time, a killed cursor, a shutdown, an interruption, a network between shards.
  for (const code of [10107, 13435, 50, 237, 43, 91, 11600, 11602, 189, 6, 89]) {
    it(`code ${code} is transient`, () => {
      assert.ok(isTransientMongoError(serverError(code)));
    });
  }

  // Not authorised, authentication failed, bad value, no such collection, a failed parse.
  for (const code of [13, 18, 2, 26, 9]) {
    it(`code ${code} is not transient`, () => {
      assert.ok(!isTransientMongoError(serverError(code)));
    });
  }

  it('a label of the server counts, with any code', () => {
    assert.ok(isTransientMongoError(serverError(2, ['RetryableError'])));
  });

  it('network errors are transient', () => {
    assert.ok(isTransientMongoError(new MongoNetworkError('connection 1 closed')));
    assert.ok(isTransientMongoError(new MongoNetworkTimeoutError('connection 1 timed out')));
    assert.ok(isTransientMongoError(selectionError));
    assert.ok(isTransientMongoError(Object.assign(new Error('read'), { code: 'ECONNRESET' })));
  });

  it('internal errors of the driver are transient', () => {
    assert.ok(isTransientMongoError(new DriverFaultError(new TypeError('of undefined'))));
  });

  it('a defect of the tool is not', () => {
    assert.ok(!isTransientMongoError(new MongoAPIError('wrong use')));
    assert.ok(!isTransientMongoError(new TypeError('x is not a function')));
    assert.ok(!isTransientMongoError(undefined));
  });
});

describe('explained errors of MongoDB', () => {
  const url = 'mongodb://reader:secret@db.example:27017/shop';

  for (const [what, error, message, isServerGone] of [
    ['nobody listens', selectionError, /^no MongoDB answers at db\.example:27017$/, true],
    ['the network', new MongoNetworkError('connection 1 closed'), /: connection 1 closed$/, true],
    ['not authorised', serverError(13), /: code 13$/, false],
    ['a wrong password', serverError(18), /refused user or password$/, false],
  ] as const) {
    it(`${what}: exit code 3, and whether the server is lost`, () => {
      const explained = explainMongoError(error, url);
      assert.equal(explained.exitCode, ExitCode.source);
      assert.match(explained.message, message);
      assert.equal(explained.isServerGone, isServerGone);
      assert.doesNotMatch(`${explained.message} ${explained.fix}`, /secret/);
    });
  }

  it('a server with users, and a URL without one: the user is missing, and not a privilege', () => {
    const explained = explainMongoError(serverError(13), 'mongodb://db.example/shop');
    assert.deepEqual([explained.exitCode, explained.code], [ExitCode.source, 'MONGO_USER_MISSING']);
    assert.match(explained.fix, /mongodb:\/\/user:password@host/);
    for (const withUser of [url, 'mongodb://db.example/?authMechanism=MONGODB-X509']) {
      assert.equal(explainMongoError(serverError(13), withUser).code, 'MONGO_RIGHTS');
    }
  });

  it('options that the driver rejects are a mistake in the settings, also those of a TXT record', () => {
    for (const error of [
      new MongoParseError('option x is not supported'),
      new MongoInvalidArgumentError('no'),
    ]) {
      const explained = explainMongoError(error, url);
      assert.deepEqual([explained.exitCode, explained.code], [ExitCode.usage, 'MONGO_URL_OPTIONS']);
    }
  });

  it('an explained error is not changed', () => {
    const explained = new SourceError('as it is', { code: 'AS_IT_IS' });
    assert.equal(explainMongoError(explained, url), explained);
  });
});
