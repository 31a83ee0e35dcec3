import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { Config } from './config.js';
import { ConfigError } from './config-error.js';

/** The text of `controller.caFile`; `''` when there is none. Throws {@link ConfigError}. */
export function readCaFile({ controller: { caFile } }: Pick<Config, 'controller'>): string {
  if (caFile === '') return '';
  const text = readText('controller.caFile', caFile);
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw problem('controller.caFile', caFile, 'holds no certificate: give a PEM file');
}

/**
 * What `controller.clusterConfigFile` says of the cluster, which holds secrets; `null` when there is none. Both the
 * whole file, with all clusters by their ids, and the part of this one will do. Throws {@link ConfigError}.
 */
export function readClusterConfig({
  controller: { clusterConfigFile: path },
  clusterId,
}: Pick<Config, 'controller' | 'clusterId'>): unknown {
  if (path === '') return null;
  const field = 'controller.clusterConfigFile';
  let data: unknown;
  try {
    data = parse(readText(field, path));
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    // What the parser says quotes the file.
    throw problem(field, path, 'is no YAML: give the configuration as the cluster prints it');
  }
  if (!isMap(data)) throw problem(field, path, 'is no map: give the configuration as the cluster prints it');
  if (!('Clusters' in data)) return data;
  const cluster = isMap(data['Clusters']) ? data['Clusters'][clusterId] : undefined;
  if (isMap(cluster)) return cluster;
  throw problem(
    field,
    path,
    `knows no cluster ${clusterId}: give the file of this one, or correct clusterId`,
  );
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
