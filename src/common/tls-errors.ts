/** Puts what goes wrong with TLS into words, for either server. */

export interface TlsWords {
  /** The name of the setting with the URL. */
  readonly url: 'MONGO_URL' | 'POSTGRES_URL';
  /** What the URL says to name a CA, one's own certificate, and no TLS at all. */
  readonly ca: string;
  readonly certificate: string;
  readonly none: string;
}

export interface TlsTrouble {
  /** To follow "MongoDB at host:port". */
  readonly message: string;
  readonly fix: string;
}

/**
 * Told by the message, as drivers hand on few codes. The words are OpenSSL's and Node's:
 * https://docs.openssl.org/master/man3/X509_STORE_CTX_get_error/, https://nodejs.org/api/tls.html
 * @returns null when the error is about something else
 */
export function explainTlsError(message: string, words: TlsWords): TlsTrouble | null {
  // OpenSSL's own lines have numbers and source files around the reason.
  const text = /SSL routines:[^:]*:([^:]+):/.exec(message)?.[1] ?? message;
  if (/self[- ]signed certificate|unable to (verify the first|get (local )?issuer) certificate/i.test(text)) {
    return {
      message: `has a certificate of an authority that is not trusted here (${text})`,
      fix: `name the file with that authority's certificate: ${words.ca} in ${words.url}.`,
    };
  }
  if (text.includes("does not match certificate's altnames")) {
    return {
      message: `has a certificate for another name (${text})`,
      fix: `use a host name that the certificate has in ${words.url}.`,
    };
  }
  if (/certificate has expired|certificate is not yet valid/.test(text)) {
    return {
      message: `has a certificate that is not valid now (${text})`,
      fix: 'renew it, or set the clock of this machine right.',
    };
  }
  if (/alert (certificate|bad certificate|unknown ca|handshake failure)/.test(text)) {
    return {
      message: `wants a certificate of this side, and takes none or not this one (${text})`,
      fix: `name the file with certificate and key: ${words.certificate} in ${words.url}.`,
    };
  }
  // MongoDB without TLS just ends the connection.
  if (
    /wrong version number|packet length too long|does not support SSL|before secure TLS connection/.test(text)
  ) {
    return {
      message: `does not speak TLS (${text})`,
      fix: `${words.none} in ${words.url}, or correct the port.`,
    };
  }
  return null;
}
