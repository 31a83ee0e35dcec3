import { readFileSync } from 'node:fs';
import type { Config } from './config.js';
import { parseClusterYaml } from './cluster-yaml.js';
import { ConfigError } from './config-error.js';
import { lockRemedy } from './controller-problems.js';

/** Returns the text of `controller.caFile`; `''` when it is not set. Throws {@link ConfigError}. */
export function readCaFile({ controller: { caFile } }: Pick<Config, 'controller'>): string {
  if (caFile === '') return '';
  const text = readText('controller.caFile', caFile);
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw problem('controller.caFile', caFile, 'holds no certificate: give a PEM file');
}

/**
 * Returns the cluster's configuration from `controller.clusterConfigFile`, secrets included; `null` when it is not set.
 * Accepts the whole file, with all clusters by id, or the part of one cluster. Throws {@link ConfigError}, also for a file
 * without the merged defaults of the cluster's programs, because the runner does not merge them.
 */
export function readClusterConfig({
  controller: { clusterConfigFile: path },
  clusterId,
}: Pick<Config, 'controller' | 'clusterId'>): unknown {
  if (path === '') return null;
  const field = 'controller.clusterConfigFile';
  let data: unknown;
  try {
    data = parseClusterYaml(readText(field, path));
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    // The parser's message quotes the file, which has secrets.
    throw problem(field, path, 'is no YAML: give the configuration as the cluster prints it');
  }
  if (!isMap(data)) throw problem(field, path, 'is no map: give the configuration as the cluster prints it');
  if (!('Clusters' in data)) return merged(data, path);
  const cluster = isMap(data['Clusters']) ? data['Clusters'][clusterId] : undefined;
  if (isMap(cluster)) return merged(cluster, path);
  throw problem(
    field,
    path,
    `knows no cluster ${clusterId}: give the file of this one, or correct clusterId`,
  );
}

/** Settings with paths of the cluster's files. */
type ClusterSettings = Pick<Config, 'controller' | 'clusterId' | 'controllerDatabasePassword'>;

/**
 * Returns the address of the cluster's database, for its dispatch lock; `undefined` when no lock is needed. Throws
 * {@link ConfigError} when the address is unknown.
 */
export function clusterDatabase(config: ClusterSettings): { url: string; password: string } | undefined {
  const { url, database, withoutLock, clusterConfigFile } = config.controller;
  if (url === '' || withoutLock) return undefined;
  if (database !== '') return { url: database, password: config.controllerDatabasePassword };
  const cluster = readClusterConfig(config) as { PostgreSQL?: { Connection?: unknown } } | null;
  const found = databaseOf(cluster?.PostgreSQL?.Connection);
  if (found) return found;
  throw problem(
    'controller.clusterConfigFile',
    clusterConfigFile,
    `has no PostgreSQL.Connection: ${lockRemedy}`,
  );
}

/**
 * Parses libpq connection parameters. Without a TLS parameter there is no TLS, because the client tries one way
 * only.
 */
function databaseOf(connection: unknown): { url: string; password: string } | undefined {
  if (!isMap(connection)) return undefined;
  const text = (key: string): string => {
    const value = connection[key];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  };
  if (text('dbname') === '') return undefined;
  const url = new URL(`postgres://localhost/${encodeURIComponent(text('dbname'))}`);
  url.username = text('user');
  for (const key of ['host', 'port']) if (text(key) !== '') url.searchParams.set(key, text(key));
  const sslmode = text('sslmode');
  if (sslmode === 'require') url.searchParams.set('sslmode', 'no-verify');
  if (sslmode.startsWith('verify')) url.searchParams.set('sslmode', 'verify-full');
  return { url: url.href, password: text('password') };
}

/** Throws {@link ConfigError} for files that {@link readCaFile} and {@link readClusterConfig} reject. */
export function checkClusterFiles(config: ClusterSettings): void {
  readCaFile(config);
  readClusterConfig(config);
  clusterDatabase(config);
}

/** Settings without a default in the runner's storage client, which hand-written files leave out. */
const mergedKeys = [
  ['Collections', 'BlobSigning'],
  ['Collections', 'BlobSigningTTL'],
  ['Containers', 'LocalKeepBlobBuffersPerVCPU'],
  ['Containers', 'LocalKeepLogsToContainerLog'],
  ['SystemLogs', 'Format'],
  ['SystemLogs', 'LogLevel'],
] as const;

function merged(cluster: Record<string, unknown>, path: string): Record<string, unknown> {
  const missing = mergedKeys.filter(([section, key]) => {
    const settings = cluster[section];
    return !isMap(settings) || [undefined, null, ''].includes(settings[key] as string | null | undefined);
  });
  if (missing.length === 0) return cluster;
  const names = missing.map((key) => key.join('.')).join(', ');
  const remedy = 'give the output of "arvados-server config-dump", which has the defaults merged in';
  throw problem('controller.clusterConfigFile', path, `lacks ${names}, which runners need: ${remedy}`);
}

function readText(field: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw problem(field, path, `cannot be read (${(error as NodeJS.ErrnoException).code}): correct the path`);
  }
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function problem(field: string, file: string, message: string): ConfigError {
  return new ConfigError(file, [{ path: field, message }]);
}
