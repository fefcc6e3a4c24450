/**
 * For `NODE_OPTIONS=--import`: the process uses the DNS server at TEST_DNS, and resolves every host under `.test` to this
 * machine.
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
