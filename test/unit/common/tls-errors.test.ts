import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { explainTlsError, type TlsWords } from '../../../src/common/tls-errors.ts';

const words: TlsWords = { url: 'MONGO_URL', ca: 'CA', certificate: 'CERTIFICATE', none: 'NONE' };

/** Messages of Node and OpenSSL. */
const cases: readonly (readonly [text: string, fix: RegExp])[] = [
  ['self-signed certificate in certificate chain', /CA in MONGO_URL/],
  ['self signed certificate', /CA in MONGO_URL/],
  ['unable to verify the first certificate', /CA in MONGO_URL/],
  ['unable to get local issuer certificate', /CA in MONGO_URL/],
  ["Hostname/IP does not match certificate's altnames: IP: 10.0.0.1 is not in …", /host name/],
  ['certificate has expired', /renew it/],
  [
    '80ACC9:error:0A00045C:SSL routines:ssl3_read_bytes:tlsv13 alert certificate required:../record.c:1601:SSL alert',
    /CERTIFICATE in/,
  ],
  ['error:0A000418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca:../record.c:1601:', /CERTIFICATE in/],
  ['error:0A00010B:SSL routines:ssl3_get_record:wrong version number:../ssl3_record.c:354:', /NONE in/],
  ['Client network socket disconnected before secure TLS connection was established', /NONE in/],
  ['The server does not support SSL connections', /NONE in/],
];

describe('explainTlsError', () => {
  for (const [text, fix] of cases) {
    it(`says how to fix "${text.slice(0, 60)}"`, () => {
      const trouble = explainTlsError(text, words);
      assert.match(trouble?.fix ?? '', fix);
      assert.doesNotMatch(trouble?.message ?? '', /SSL routines|\n/);
    });
  }

  it('does not explain other errors', () => {
    assert.equal(explainTlsError('connect ECONNREFUSED 127.0.0.1:27017', words), null);
  });
});
