import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { awsQuery } from './readers/aws.ts';
import { discovery } from './readers/discovery.ts';
import { graphQL } from './readers/graphql.ts';
import { odata } from './readers/odata.ts';
import { openApi } from './readers/openapi.ts';
import { operationList } from './readers/operations.ts';
import { swagger } from './readers/swagger.ts';
import { telegram } from './readers/telegram.ts';
import { isRecord, type Spec } from './spec.ts';
import type { Truth } from './truth.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The folder with the vendors' descriptions. It lies beside the project and is never part of it. */
export const PLATFORMS = path.resolve(ROOT, process.env.PLATFORM_SPECS ?? '../shared/platforms');

const EXCEPTIONS = path.join(ROOT, 'test', 'specs', 'exceptions');

/** Whether there is a folder about a platform. */
export const hasPlatform = (platform: string): boolean => existsSync(path.join(PLATFORMS, platform));

/** A file of a platform's folder, as text. */
export const platformFile = (platform: string, file: string): string =>
  readFileSync(path.join(PLATFORMS, platform, file), 'utf8');

/** The same, as JSON. */
export const platformJson = (platform: string, file: string): any => JSON.parse(platformFile(platform, file));

/** Files of a platform's folder that may be descriptions: samples and what is written for people are not. */
function filesOf(platform: string): string[] {
  const folder = path.join(PLATFORMS, platform);
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(json|graphql|edmx|xml)$/.test(entry.name))
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .filter((file) => !file.startsWith('samples'))
    .sort();
}

/** Reads a file as the kind of description it is; undefined when it is none of calls, such as schemas of values. */
export function readSpec(platform: string, file: string): Spec | undefined {
  const text = platformFile(platform, file);
  if (file.endsWith('.graphql')) return graphQL(file, text);
  if (/<(\w+:)?Edmx\b/.test(text.slice(0, 1000))) return odata(file, text);
  if (!file.endsWith('.json')) return undefined;
  const document = JSON.parse(text);
  if (typeof document.openapi === 'string') return openApi(file, document);
  if (typeof document.swagger === 'string') return swagger(file, document);
  if (document.kind === 'discovery#restDescription') return discovery(file, document);
  if (isRecord(document.shapes) && isRecord(document.operations)) return awsQuery(file, document);
  if (isRecord(document.methods) && isRecord(document.types)) return telegram(file, document);
  if (!Array.isArray(document.operations)) return undefined;
  return operationList(file, document, platformJson(platform, file.replace('operations', 'schemas')));
}

interface Loaded {
  specs: Spec[];
  truth: Truth;
}

const loaded = new Map<string, Promise<Loaded>>();

/** Why nothing can be compared for a platform, in words; undefined when something can. */
export async function whyUnchecked(platform: string): Promise<string | undefined> {
  if (!existsSync(PLATFORMS)) return 'PLATFORM_SPECS, the folder with the descriptions of vendors, is absent';
  const { specs } = await load(platform);
  return specs.length > 0 ? undefined : 'there is no machine-readable description of it';
}

/** The descriptions of a platform and what is known about them; undefined when there are none. */
export async function loadSpecs(platform: string): Promise<Loaded | undefined> {
  const found = await load(platform);
  return found.specs.length > 0 ? found : undefined;
}

function load(platform: string): Promise<Loaded> {
  const known = loaded.get(platform) ?? read(platform);
  loaded.set(platform, known);
  return known;
}

async function read(platform: string): Promise<Loaded> {
  const truth = await truthOf(platform);
  if (!hasPlatform(platform)) return { specs: [], truth };
  const files = truth.files ?? filesOf(platform);
  const specs = files.map((file) => readSpec(platform, file)).filter((spec) => spec !== undefined);
  return { specs: [...(truth.specs?.() ?? []), ...specs], truth };
}

async function truthOf(platform: string): Promise<Truth> {
  const file = path.join(EXCEPTIONS, `${platform}.ts`);
  if (!existsSync(file)) return { exceptions: [] };
  return ((await import(file)) as { default: Truth }).default;
}
