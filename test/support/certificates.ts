/** Certificates for tests, created by openssl each time, so that they do not expire. */

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Paths of PEM files. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  /** Both in one file, as MongoDB's `tlsCertificateKeyFile` requires. */
  readonly both: string;
}

/** For `skip`: false when there is an openssl. */
export function lacksOpenssl(): string | false {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'there is no openssl to make certificates with';
  }
}

export class Authority {
  readonly #folder: string;
  readonly #name: string;
  readonly cert: string;

  constructor(folder: string, name: string) {
    this.#folder = folder;
    this.#name = name;
    this.cert = this.#path('pem');
    const extensions = this.#write(
      'ext',
      'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n',
    );
    this.#request(name, this.#path('key'), this.#path('csr'));
    const signedBy = ['-signkey', this.#path('key')];
    openssl('x509', '-req', '-in', this.#path('csr'), '-extfile', extensions, ...signedBy, '-out', this.cert);
  }

  /** @param names DNS names and IP addresses, as openssl writes them: `DNS:localhost`, `IP:127.0.0.1` */
  issue(name: string, ...names: readonly string[]): Certificate {
    const path = (suffix: string): string => join(this.#folder, `${name}.${suffix}`);
    const extensions = path('ext');
    writeFileSync(extensions, names.length === 0 ? '' : `subjectAltName=${names.join(',')}\n`);
    this.#request(name, path('key'), path('csr'));
    const signedBy = ['-CA', this.cert, '-CAkey', this.#path('key'), '-CAcreateserial'];
    openssl('x509', '-req', '-in', path('csr'), '-extfile', extensions, ...signedBy, '-out', path('pem'));
    const both = path('both.pem');
    writeFileSync(both, readFileSync(path('pem'), 'utf8') + readFileSync(path('key'), 'utf8'));
    return { cert: path('pem'), key: path('key'), both };
  }

  #request(name: string, key: string, request: string): void {
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    openssl('req', '-new', ...curve, '-subj', `/CN=${name}`, '-keyout', key, '-out', request);
  }

  #write(suffix: string, text: string): string {
    writeFileSync(this.#path(suffix), text);
    return this.#path(suffix);
  }

  #path(suffix: string): string {
    return join(this.#folder, `${this.#name}.${suffix}`);
  }
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
