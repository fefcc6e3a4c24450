/** Parses a Dockerfile into the steps of its stages, and executes them without an engine: in a folder for each stage. */

import { execFile } from 'node:child_process';
import { cp, mkdir } from 'node:fs/promises';
import { basename, dirname, join, posix } from 'node:path';
import { promisify } from 'node:util';
import { Copy, DockerfileParser, type Instruction } from 'dockerfile-ast';

export interface ImageStage {
  readonly name: string;
  /** The image that it begins with, with arguments filled in. */
  readonly base: string;
  readonly steps: readonly ImageStep[];
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string;
  readonly user: string;
  readonly stopSignal: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
}

export type ImageStep =
  | { readonly kind: 'run'; readonly workdir: string; readonly command: string }
  | {
      readonly kind: 'copy';
      readonly workdir: string;
      readonly from: string | null;
      readonly sources: readonly string[];
      readonly target: string;
    };

type Growing = { -readonly [Key in keyof ImageStage]: ImageStage[Key] } & { steps: ImageStep[] };

/** @throws Error for an instruction that is not known here: it would be silently skipped */
export function readImage(text: string): ImageStage[] {
  const stages: Growing[] = [];
  const args = new Map<string, string>();
  const fill = (value: string): string =>
    value.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => args.get(name) ?? '');
  for (const instruction of DockerfileParser.parse(text).getInstructions()) {
    const keyword = instruction.getKeyword();
    const words = instruction.getArguments().map((argument) => argument.getValue());
    const content = instruction.getArgumentsContent() ?? '';
    const stage = stages.at(-1);
    if (keyword === 'ARG') {
      const [name = '', value = ''] = content.split('=');
      args.set(name, value);
    } else if (keyword === 'FROM') {
      const [base = '', , name = String(stages.length)] = words;
      stages.push({
        ...{ name, base: fill(base), steps: [], env: {}, workdir: '/', user: '', stopSignal: '' },
        ...{ entrypoint: [], command: [] },
      });
    } else if (stage === undefined) {
      throw new Error(`${keyword} comes before the first stage`);
    } else {
      take(stage, keyword, content, words, instruction);
    }
  }
  return stages;
}

function take(
  stage: Growing,
  keyword: string,
  content: string,
  words: readonly string[],
  instruction: Instruction,
): void {
  const { workdir } = stage;
  switch (keyword) {
    case 'LABEL':
    case 'EXPOSE':
      return;
    case 'ENV': {
      const [name = '', value = ''] = content.split('=');
      stage.env = { ...stage.env, [name]: value };
      return;
    }
    case 'WORKDIR':
      stage.workdir = posix.resolve(workdir, content);
      return;
    case 'USER':
      stage.user = content;
      return;
    case 'STOPSIGNAL':
      stage.stopSignal = content;
      return;
    case 'ENTRYPOINT':
      stage.entrypoint = JSON.parse(content) as string[];
      return;
    case 'CMD':
      stage.command = JSON.parse(content) as string[];
      return;
    case 'RUN':
      stage.steps.push({ kind: 'run', workdir, command: content });
      return;
    case 'COPY': {
      const flags = instruction instanceof Copy ? instruction.getFlags() : [];
      const from = flags.find((flag) => flag.getName() === 'from')?.getValue() ?? null;
      stage.steps.push({
        kind: 'copy',
        workdir,
        from,
        sources: words.slice(0, -1),
        target: words.at(-1) ?? '',
      });
      return;
    }
    default:
      throw new Error(`no test knows the instruction ${keyword}`);
  }
}

/**
 * What an engine would do, with the programs of this machine: their folders are what it knows of files.
 * @param context the folder to build from
 * @param files of the context, by their paths in it, before `.dockerignore` is applied
 * @param ignored the text of `.dockerignore`
 * @returns the folder of the last stage, which is its root
 */
export async function buildImage(
  stages: readonly ImageStage[],
  folder: string,
  {
    context,
    files,
    ignored,
  }: { readonly context: string; readonly files: readonly string[]; readonly ignored: string },
): Promise<string> {
  const rootOf = (name: string): string => join(folder, name);
  const isIgnored = readIgnored(ignored);
  const inContext = files.filter((file) => !isIgnored(file));
  for (const { name, steps, env } of stages) {
    await mkdir(rootOf(name), { recursive: true });
    for (const step of steps) {
      const cwd = join(rootOf(name), step.workdir);
      await mkdir(cwd, { recursive: true });
      if (step.kind === 'run') {
        await promisify(execFile)('sh', ['-c', step.command], {
          cwd,
          env: { ...process.env, ...env },
          maxBuffer: 2 ** 26,
        });
      } else if (step.from === null) {
        await copyContext(context, inContext, step.sources, join(cwd, step.target));
      } else {
        for (const source of step.sources) {
          const target = join(cwd, step.target);
          const isInto = step.target.endsWith('/');
          await cp(join(rootOf(step.from), source), isInto ? join(target, basename(source)) : target, {
            recursive: true,
            verbatimSymlinks: true,
          });
        }
      }
    }
  }
  return rootOf(stages.at(-1)?.name ?? '');
}

async function copyContext(
  context: string,
  files: readonly string[],
  sources: readonly string[],
  target: string,
): Promise<void> {
  for (const source of sources) {
    const isAll = source === '.';
    const found = isAll ? files : files.filter((file) => file === source);
    if (found.length === 0) throw new Error(`COPY ${source}: there is no such file`);
    for (const file of found) {
      const place = join(target, isAll ? file : basename(file));
      await mkdir(dirname(place), { recursive: true });
      await cp(join(context, file), place);
    }
  }
}

/** Each line is a path from the root of the context, with wildcards, and all below it. */
function readIgnored(text: string): (file: string) => boolean {
  const patterns = text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const escaped = line.replaceAll(/[.+^${}()|[\]\\]/g, '\\$&');
      const source = escaped.replaceAll('**/', '\0').replaceAll('*', '[^/]*').replaceAll('\0', '(?:.*/)?');
      return new RegExp(`^${source}(?:/|$)`);
    });
  return (file) => patterns.some((pattern) => pattern.test(file));
}
