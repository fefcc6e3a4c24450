/** A DNS server for one zone, on loopback: answers SRV and TXT queries, and NXDOMAIN for all else. */

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface Zone {
  /** By name: where the service is to be found. */
  readonly srv: Readonly<Record<string, readonly { readonly host: string; readonly port: number }[]>>;
  readonly txt: Readonly<Record<string, string>>;
}

export interface DnsServer {
  /** For the command: it uses this server, and resolves every host under `.test` to this machine. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** https://www.rfc-editor.org/rfc/rfc1035#section-3.2.2, https://www.rfc-editor.org/rfc/rfc2782 */
const types = { txt: 16, srv: 33 } as const;
const classInternet = 1;
const ttlSeconds = 60;

export async function startDnsServer(zone: Zone): Promise<DnsServer> {
  const socket = createSocket('udp4');
  socket.on('message', (question, { port, address }) => {
    socket.send(answer(question, zone), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    env: {
      NODE_OPTIONS: `--import ${fileURLToPath(new URL('./test-dns.js', import.meta.url))}`,
      TEST_DNS: `127.0.0.1:${socket.address().port}`,
    },
    async close() {
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
}

function answer(question: Buffer, zone: Zone): Buffer {
  const { name, end } = readName(question, 12);
  const type = question.readUInt16BE(end);
  const records =
    type === types.srv
      ? (zone.srv[name] ?? []).map(({ host, port }) => {
          // Priority and weight, both 0.
          return Buffer.concat([uint16(0), uint16(0), uint16(port), writeName(host)]);
        })
      : type === types.txt && zone.txt[name] !== undefined
        ? [Buffer.concat([Buffer.of(zone.txt[name].length), Buffer.from(zone.txt[name])])]
        : [];
  const isKnown = name in zone.srv || name in zone.txt;
  // An authoritative response; 3: there is no such name.
  const flags = uint16(0x84_00 | (isKnown ? 0 : 3));
  const counts = Buffer.concat([1, records.length, 0, 0].map(uint16));
  const asked = question.subarray(12, end + 4);
  return Buffer.concat([
    question.subarray(0, 2),
    flags,
    counts,
    asked,
    ...records.flatMap((data) => [
      // The name: a pointer to that of the question.
      uint16(0xc0_0c),
      uint16(type),
      uint16(classInternet),
      uint16(0),
      uint16(ttlSeconds),
      uint16(data.length),
      data,
    ]),
  ]);
}

function readName(message: Buffer, start: number): { name: string; end: number } {
  const labels: string[] = [];
  let position = start;
  for (let length = message[position]; length !== undefined && length > 0; length = message[position]) {
    labels.push(message.toString('latin1', position + 1, position + 1 + length));
    position += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: position + 1 };
}

function writeName(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.of(0)]);
}

function uint16(value: number): Buffer {
  return Buffer.of(value >> 8, value & 0xff);
}
