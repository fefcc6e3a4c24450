/** The files that put the tool into an image, into Kubernetes and under systemd: valid, and consistent with the code. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { validate } from 'dockerfile-utils';
import * as apps from 'kubernetes-models/apps/v1';
import * as batch from 'kubernetes-models/batch/v1';
import * as networking from 'kubernetes-models/networking.k8s.io/v1';
import * as core from 'kubernetes-models/v1';
import { parseAllDocuments } from 'yaml';
import { ExitCode } from '../../src/common/errors.ts';
import { flagsOfWords, normalizeFlags } from '../../src/cli/flags.ts';
import { readPlainLine } from '../../src/cli/plain-line.ts';
import { readConfig, type Config } from '../../src/config/config.ts';
import { options, optionNames } from '../../src/config/options.ts';
import type { CommandName } from '../../src/config/options/option.ts';
import { serveLive } from '../../src/observe/live/live.ts';
import { readImage } from '../support/image.ts';
import { cleanUp } from '../support/embedded.ts';

const urls = { MONGO_URL: 'mongodb://db.example/shop', POSTGRES_URL: 'postgres://db.example/shop' };
const commands = [...new Set(optionNames.flatMap((name): readonly CommandName[] => options[name].commands))];
const program = 'dist/bundle/src/cli/main.js';

/** Parses it as the command line does: unknown words, flags and values are refused. */
function readCommand(args: readonly string[], env: Readonly<Record<string, string>>): Config {
  const line = readPlainLine(flagsOfWords(normalizeFlags(args)), commands);
  assert.ok(line !== null, `${args.join(' ')} is a command line of ours`);
  const variables = new Set<string>(optionNames.map((name) => options[name].env));
  for (const name of Object.keys(env)) assert.ok(variables.has(name), `${name} is a setting of ours`);
  return readConfig(line.command, line.flags, env);
}

function requireExitCodes(codes: readonly number[]): void {
  for (const code of codes) assert.ok((Object.values(ExitCode) as number[]).includes(code), `${code}`);
}

describe('Dockerfile', async () => {
  const text = await readFile('Dockerfile', 'utf8');
  const image = readImage(text);
  const last = image.at(-1);

  it('has no errors by the linter', () => {
    assert.deepEqual(validate(text), []);
  });

  it('runs the command as process 1, not as root, and it receives SIGTERM', () => {
    assert.ok(last !== undefined);
    const [node, path = '', ...args] = last.entrypoint;
    assert.equal(node, 'node', 'no shell in between, which would keep signals to itself');
    assert.equal(path, `/app/${program}`);
    assert.match(last.user, /^[1-9]\d*:[1-9]\d*$/);
    assert.equal(last.stopSignal, 'SIGTERM');
    readCommand([...args, ...last.command], urls);
  });

  it('copies files that other stages have built, on a Node that the package supports', async () => {
    for (const { base } of image) assert.match(base, /^node:(20|22|24)-\w+-slim$/);
    const { engines } = JSON.parse(await readFile('package.json', 'utf8')) as { engines: { node: string } };
    assert.match(engines.node, />=24/);
    const names = image.map(({ name }) => name);
    for (const step of image.flatMap(({ steps }) => steps)) {
      if (step.kind === 'copy' && step.from !== null) assert.ok(names.includes(step.from), step.from);
    }
  });
});

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly template?: Template;
    readonly selector?: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly podFailurePolicy?: {
      readonly rules: readonly {
        readonly onExitCodes?: { readonly containerName: string; readonly values: number[] };
      }[];
    };
  };
}

interface Template {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: {
    readonly securityContext: { readonly runAsNonRoot: boolean };
    readonly restartPolicy?: string;
    readonly containers: readonly Container[];
  };
}

interface Container {
  readonly name: string;
  readonly args?: readonly string[];
  readonly envFrom: readonly { readonly configMapRef: { readonly name: string } }[];
  readonly env: readonly { readonly name: string }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

const models: Readonly<Record<string, new (data: never) => { validate(): void }>> = {
  ConfigMap: core.ConfigMap,
  Job: batch.Job,
  Deployment: apps.Deployment,
  NetworkPolicy: networking.NetworkPolicy,
};

describe('deploy/kubernetes.yaml', async () => {
  const documents = parseAllDocuments(await readFile('deploy/kubernetes.yaml', 'utf8'));
  const manifests = documents.map((document) => document.toJS() as Manifest);
  const pods = manifests.flatMap((manifest) => {
    const { template } = manifest.spec ?? {};
    return template === undefined ? [] : [{ manifest, template }];
  });

  it('is valid YAML, and each kind matches its schema', () => {
    assert.deepEqual(
      documents.flatMap(({ errors, warnings }) => [...errors, ...warnings]),
      [],
    );
    for (const manifest of manifests) {
      const Model = models[manifest.kind];
      assert.ok(Model !== undefined, manifest.kind);
      new Model(manifest as never).validate();
    }
    assert.ok(pods.length > 0);
  });

  it('has existing commands and settings', () => {
    for (const { template } of pods) {
      for (const { args = [], env, envFrom, ports } of template.spec.containers) {
        const given = envFrom.flatMap(({ configMapRef }) => {
          const map = manifests.find(
            ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMapRef.name,
          );
          assert.ok(map?.data !== undefined, configMapRef.name);
          return Object.entries(map.data);
        });
        assert.deepEqual(
          env.map(({ name }) => name).sort(),
          Object.keys(urls).sort(),
          'what has passwords is in the secret',
        );
        const config = readCommand(args, { ...Object.fromEntries(given), ...urls });
        assert.deepEqual(ports, [{ name: 'metrics', containerPort: config.metricsPort }]);
        assert.equal(config.metricsHost, '0.0.0.0', 'probes come from outside of the pod');
      }
    }
  });

  // Red with another image, key of the secret, probe, user or right for one of them, without --keep-joining, and with the same labels.
  it('has a Job that leads and a Deployment that joins, equal except for their commands', () => {
    const ofKind = (kind: string): { readonly args: readonly string[]; readonly pod: unknown } => {
      const found = pods.filter(({ manifest }) => manifest.kind === kind);
      assert.equal(found.length, 1, kind);
      const [{ template } = assert.fail(kind)] = found;
      // A Job may not have the policy that a Deployment must have.
      const { containers, ...spec } = { ...template.spec, restartPolicy: null };
      const [{ args = [], ...container } = assert.fail(kind), ...others] = containers;
      assert.deepEqual(others, []);
      return { args, pod: { ...spec, container } };
    };
    const leader = ofKind('Job');
    const host = ofKind('Deployment');
    assert.deepEqual(host.pod, leader.pod);
    assert.equal(readCommand(leader.args, urls).hosts, true);
    assert.equal(host.args[0], 'join');
    for (const { args } of [leader, host]) {
      assert.equal(readCommand(args, { ...urls, FOLLOW: 'true' }).follow, true, 'all of them can follow');
    }
    assert.equal(readCommand(host.args, urls).keepJoining, true, 'or each pod would be started for ever');
    const selectors = pods
      .flatMap(({ manifest }) => manifest.spec?.selector ?? [])
      .map((one) => one.matchLabels);
    const matched = pods.filter(({ template: { metadata } }) =>
      selectors.some((labels) =>
        Object.entries(labels).every(([key, value]) => metadata.labels[key] === value),
      ),
    );
    assert.deepEqual(
      matched.map(({ manifest }) => manifest.kind),
      ['Deployment'],
      'it does not select pods of the Job',
    );
  });

  it('probes existing paths', async (t) => {
    const live = await serveLive('127.0.0.1', 0);
    cleanUp(t, () => live.close(''));
    for (const { template } of pods) {
      for (const { livenessProbe, readinessProbe } of template.spec.containers) {
        const answers = [livenessProbe, readinessProbe].map(async ({ httpGet: { path, port } }) => {
          assert.equal(port, 'metrics');
          return (await fetch(new URL(path, live.url))).status;
        });
        assert.deepEqual(await Promise.all(answers), [200, 503], 'alive, and not ready before it begins');
      }
    }
  });

  it('selects pods by their labels, runs none as root, and fails jobs at existing exit codes', () => {
    for (const { manifest, template } of pods) {
      assert.equal(template.spec.securityContext.runAsNonRoot, true);
      for (const [key, value] of Object.entries(manifest.spec?.selector?.matchLabels ?? {})) {
        assert.equal(template.metadata.labels[key], value);
      }
      for (const { onExitCodes } of manifest.spec?.podFailurePolicy?.rules ?? []) {
        if (onExitCodes === undefined) continue;
        requireExitCodes(onExitCodes.values);
        assert.ok(template.spec.containers.some(({ name }) => name === onExitCodes.containerName));
      }
    }
  });
});

describe('deploy/mongo2pg.service', async () => {
  const file = 'deploy/mongo2pg.service';
  const text = await readFile(file, 'utf8');
  const read = (key: string): string => new RegExp(`^${key}=(.*)$`, 'm').exec(text)?.[1] ?? '';

  it('has a valid command line, and existing exit codes', () => {
    const [node, path = '', ...args] = read('ExecStart').split(' ');
    assert.equal(node, '/usr/bin/node');
    assert.equal(path, `/opt/mongo2pg/${program}`);
    readCommand(args, urls);
    const stopped = read('SuccessExitStatus').split(' ').map(Number);
    requireExitCodes([...read('RestartPreventExitStatus').split(' ').map(Number), ...stopped]);
    assert.deepEqual(stopped, [ExitCode.sighup, ExitCode.sigint, ExitCode.sigterm]);
  });

  it('is accepted by systemd', async (t) => {
    const analyzer = '/usr/bin/systemd-analyze';
    if (!existsSync(analyzer)) {
      t.skip('there is no systemd-analyze here (apt install systemd)');
      return;
    }
    const folder = await mkdtemp(join(tmpdir(), 'mongo2pg-unit-'));
    cleanUp(t, () => rm(folder, { recursive: true, force: true }));
    const unit = join(folder, 'mongo2pg.service');
    // The program must exist.
    await writeFile(unit, text.replace('/usr/bin/node', process.execPath));
    const run = promisify(execFile);
    const { stdout, stderr } = await run(analyzer, ['verify', '--man=no', unit]);
    assert.equal(stdout + stderr, '');
    const security = await run(analyzer, [
      'security',
      '--offline=true',
      '--no-pager',
      '--threshold=20',
      unit,
    ]);
    assert.match(security.stdout, /Overall exposure level for mongo2pg\.service: 1\.\d OK/);
  });
});
