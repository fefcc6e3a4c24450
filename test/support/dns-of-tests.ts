/**
 * For `NODE_OPTIONS=--import`: the process asks the DNS server at TEST_DNS, and takes every host under `.test` for this
 * machine, as that server's zone would say of an address.
 */

import dns from 'node:dns';
import { syncBuiltinESMExports } from 'node:module';

const { TEST_DNS = '' } = process.env;
dns.setServers([TEST_DNS]);

const { lookup } = dns;
// `net.connect` looks the function up at each call.
dns.lookup = ((host: string, ...rest: unknown[]) => {
  const name = host.endsWith('.test') ? '127.0.0.1' : host;
  Reflect.apply(lookup, dns, [name, ...rest]);
}) as typeof lookup;
syncBuiltinESMExports();
