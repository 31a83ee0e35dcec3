import type { Command } from 'commander';
import * as z from 'zod';
import type { Config } from '../config/config.js';
import { checkClusterFiles } from '../config/cluster-files.js';
import { withoutDriverSecrets } from '../config/driver-secrets.js';
import { withoutSecretsInText, withoutSecretsInWords } from '../config/secrets-in-text.js';
import { loadConfig } from '../config/load.js';
import { fileSchema } from '../config/schema.js';
import { formatSize } from '../domain/size.js';
import type { CommandContext } from './context.js';
import { printJson } from './output.js';

/** Adds `config check`, `config show` and `config schema`. */
export function addConfigCommands(program: Command, { output }: CommandContext): void {
  const config = program.command('config').description('check and show the configuration');
  config
    .command('check')
    .description('report errors and warnings of the file')
    .argument('<file>')
    .action((file: string) => {
      const loaded = loadConfig(file);
      checkClusterFiles(loaded);
      const types = [...loaded.instanceTypes.values()];
      output.write(`${file} is valid: driver ${loaded.driver}, ${types.length} instance types\n`);
      for (const type of types) {
        output.write(
          `  ${type.name}: ${type.vcpus} VCPUs, ${formatSize(type.ramBytes)} RAM, $${type.price} an hour\n`,
        );
      }
      for (const warning of loaded.warnings) output.write(`  warning: ${warning}\n`);
      if (loaded.managementToken === '' && !loaded.makesManagementToken)
        output.write('  no managementToken: the API refuses every request\n');
    });
  config
    .command('show')
    .description('print every effective setting, without secrets')
    .argument('<file>')
    .action((file: string) => printJson(output, withoutSecretsInside(withoutSecrets(loadConfig(file)))));
  config
    .command('schema')
    .description('print the JSON Schema of the file, for editors')
    .action(() => printJson(output, z.toJSONSchema(fileSchema, { io: 'input', unrepresentable: 'any' })));
}

function withoutSecretsInside(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (_key, inner: unknown) => {
    if (Array.isArray(inner)) return withoutSecretsInWords(inner);
    return typeof inner === 'string' ? withoutSecretsInText(inner) : inner;
  });
}

function withoutSecrets(config: Config): Record<string, unknown> {
  const hide = (secret: string): string => (secret === '' ? '' : '[redacted]');
  return {
    ...config,
    managementToken: hide(config.managementToken),
    systemRootToken: hide(config.systemRootToken),
    dispatchPrivateKey: hide(config.dispatchPrivateKey),
    storePassword: hide(config.storePassword),
    controllerDatabasePassword: hide(config.controllerDatabasePassword),
    driverParameters: withoutDriverSecrets(config),
    instanceTypes: Object.fromEntries(config.instanceTypes),
  };
}
