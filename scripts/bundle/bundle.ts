/** What is bundled, and how: the command, a worker's process and a worker's thread, with what they share in chunks. */

import { readdirSync } from 'node:fs';
import { build as bundle, type Plugin } from 'esbuild';

/**
 * By their places in the folder. All files there are as deep as those of `dist/src/cli/commands`, and a worker's script is
 * beside the folder of whoever starts it, as it is there: so what they name by a relative URL is found.
 */
const entries = {
  'src/cli/main': 'src/cli/main.ts',
  'src/worker/process-main': 'src/workers/worker/process-main.ts',
  'src/worker/thread-main': 'src/workers/worker/thread-main.ts',
};

/** What packages load only where it is installed, each within a `try`; and what reads files of its own. */
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
  const { metafile } = await bundle({
    entryPoints: entries,
    outdir,
    chunkNames: 'src/chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    sourcemap: true,
    metafile: true,
    // Errors cross from process to process by the names of their classes.
    keepNames: true,
    external,
    plugins: [trialServersBeside, nativeUrl],
    alias: {
      // The driver has the CommonJS one: loaded once instead of twice.
      bson: './node_modules/bson/lib/bson.cjs',
    },
    // `pg` makes a Response to find out whether it runs in a Cloudflare worker, for which Node 20 loads all of fetch.
    define: { Response: 'undefined' },
    // Packages of CommonJS that are in an ES module.
    banner: {
      js: `import { createRequire as createRequireOf } from 'node:module'; const require = createRequireOf(import.meta.url);`,
    },
    logLevel: 'warning',
  });
  const inputs = Object.keys(metafile.inputs).filter((file) => !file.includes(':'));
  const packages = inputs.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []);
  return {
    inputs: [
      ...inputs,
      'package-lock.json',
      ...readdirSync('scripts/bundle').map((file) => `scripts/bundle/${file}`),
    ],
    packages: [...new Set(packages)].sort(),
  };
}

/** They are a package of the checkout, as the compiler leaves it, and not published. */
const trialServersBeside: Plugin = {
  name: 'trial-servers-beside',
  setup: (build) => {
    build.onResolve({ filter: /packages\/trial-servers\/src\/.*\.ts$/ }, ({ path }) => ({
      path: path.replace(/^.*\/packages\//, '../../../packages/').replace(/\.ts$/, '.js'),
      external: true,
    }));
  },
};

/**
 * The driver's parser of connection strings has an implementation of the URL standard with it, for runtimes without one:
 * as much code as a third of the driver. Node has one.
 */
const nativeUrl: Plugin = {
  name: 'native-url',
  setup: (build) => {
    build.onResolve({ filter: /^whatwg-url$/ }, () => ({ path: 'whatwg-url', namespace: 'native-url' }));
    build.onLoad({ filter: /.*/, namespace: 'native-url' }, () => ({
      contents: 'module.exports = { URL, URLSearchParams };',
    }));
  },
};
