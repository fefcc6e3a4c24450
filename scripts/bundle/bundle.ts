/** What is bundled, and how: the command, a worker's process and a worker's thread, with what they share in chunks. */

import { readdirSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { rolldown, type Plugin } from 'rolldown';
import { createChunkNamer } from './chunks.ts';

/**
 * By their places in the folder. All files there are as deep as those of `dist/src/cli/commands`, and a worker's script is
 * beside the folder of whoever starts it, as it is there: so relative URLs in them are valid.
 */
const entries = {
  'src/cli/main': 'src/cli/main.ts',
  'src/worker/process-main': 'src/workers/worker/process-main.ts',
  'src/worker/thread-main': 'src/workers/worker/thread-main.ts',
};

/** Optional packages, each loaded within a `try`; and packages that read their own files. */
const external = [
  '@aws-sdk/credential-providers',
  '@mongodb-js/zstd',
  'aws4',
  'cloudflare:sockets',
  'gcp-metadata',
  'jsonc-parser',
  'kerberos',
  'mongodb-client-encryption',
  'pg-native',
  'snappy',
  'socks',
];

export interface Bundled {
  /** Every file that it was made of, and that decided how. */
  readonly inputs: readonly string[];
  /** The folders of packages that are in it. */
  readonly packages: readonly string[];
}

/** @param outdir a folder that is not there yet */
export async function makeBundles(outdir: string): Promise<Bundled> {
  const bundle = await rolldown({
    input: entries,
    platform: 'node',
    external,
    // chunks.ts decides which chunk a module is in, and not its importers.
    preserveEntrySignatures: 'allow-extension',
    checks: { ineffectiveDynamicImport: false },
    resolve: {
      // The driver has the CommonJS one: loaded once instead of twice.
      alias: { bson: resolve('node_modules/bson/lib/bson.cjs') },
    },
    transform: {
      target: 'node20.19',
      // `pg` makes a Response to find out whether it runs in a Cloudflare worker, for which Node 20 loads all of fetch.
      define: { Response: 'undefined' },
    },
    plugins: [trialServersBeside, nativeUrl],
  });
  try {
    await bundle.write({
      dir: outdir,
      format: 'esm',
      entryFileNames: '[name].js',
      chunkFileNames: 'src/chunks/[name]-[hash].js',
      sourcemap: true,
      // Errors cross from process to process by the names of their classes.
      keepNames: true,
      codeSplitting: {
        includeDependenciesRecursively: false,
        groups: [{ name: createChunkNamer(process.cwd()), debugName: 'chunks.ts' }],
      },
    });
    const inputs = (await bundle.watchFiles).map((file) => relative('.', file));
    const packages = inputs.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []);
    return {
      inputs: [
        ...inputs,
        'package-lock.json',
        ...readdirSync('scripts/bundle').map((file) => `scripts/bundle/${file}`),
      ],
      packages: [...new Set(packages)].sort(),
    };
  } finally {
    await bundle.close();
  }
}

/** They are a package of the checkout, as the compiler leaves it, and not published. */
const trialServersBeside: Plugin = {
  name: 'trial-servers-beside',
  resolveId: {
    filter: { id: /packages\/trial-servers\/src\/.*\.ts$/ },
    handler: (id) => ({
      id: id.replace(/^.*\/packages\//, '../../../packages/').replace(/\.ts$/, '.js'),
      external: true,
    }),
  },
};

const nativeUrlId = '\0whatwg-url';

/**
 * The driver's parser of connection strings has an implementation of the URL standard with it, for runtimes without one:
 * as much code as a third of the driver. Node has one.
 */
const nativeUrl: Plugin = {
  name: 'native-url',
  resolveId: { filter: { id: /^whatwg-url$/ }, handler: () => nativeUrlId },
  load: {
    filter: { id: new RegExp(`^${nativeUrlId}$`) },
    handler: () => 'module.exports = { URL, URLSearchParams };',
  },
};
