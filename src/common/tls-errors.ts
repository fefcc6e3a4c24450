/** Explains errors of TLS, for both servers. */

export interface TlsWords {
  /** The name of the setting with the URL. */
  readonly url: 'MONGO_URL' | 'POSTGRES_URL';
  /** The URL parameters that name a CA and the client's certificate, and that turn TLS off. */
  readonly ca: string;
  readonly certificate: string;
  readonly none: string;
}

export interface TlsTrouble {
  /** Follows "MongoDB at host:port". */
  readonly message: string;
  readonly fix: string;
}

/**
 * Recognized by the message, because drivers pass on few codes. The texts are those of OpenSSL and Node:
 * https://docs.openssl.org/master/man3/X509_STORE_CTX_get_error/, https://nodejs.org/api/tls.html
 * @returns null when the error is about something else
 */
export function explainTlsError(message: string, words: TlsWords): TlsTrouble | null {
  // OpenSSL puts numbers and source files around the reason.
  const text = /SSL routines:[^:]*:([^:]+):/.exec(message)?.[1] ?? message;
  if (/self[- ]signed certificate|unable to (verify the first|get (local )?issuer) certificate/i.test(text)) {
    return {
      message: `has a certificate from an authority that this machine does not trust (${text})`,
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
      fix: 'renew it, or correct the clock of this machine.',
    };
  }
  if (/alert (certificate|bad certificate|unknown ca|handshake failure)/.test(text)) {
    return {
      message: `requires a client certificate, and did not accept the one sent, if any (${text})`,
      fix: `name the file with the client's certificate and key: ${words.certificate} in ${words.url}.`,
    };
  }
  // A MongoDB without TLS only closes the connection.
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
