import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../src/domain/clock.js';
import type { CreateSpec, Driver } from '../../../src/drivers/driver.js';
import { openDriver } from '../../../src/drivers/registry.js';
import { spec, type, wrapped } from '../../drivers/contract.js';
import { FakeAzure } from './fake-azure.js';
import { selfSigned } from './self-signed.js';

export interface Warning {
  message: string;
  fields: Readonly<Record<string, unknown>>;
}

/** A driver on a fake Azure. `end` frees both. */
export class AzureTestWorld {
  readonly azure: FakeAzure;
  readonly warnings: Warning[] = [];
  readonly #folder: string;
  readonly #caFile: string;
  readonly #opened: Driver[] = [];

  constructor(azure: FakeAzure, folder: string, caFile: string) {
    this.azure = azure;
    this.#folder = folder;
    this.#caFile = caFile;
  }

  static async open(): Promise<AzureTestWorld> {
    const folder = await mkdtemp(join(tmpdir(), 'longshore-azure-'));
    const identity = selfSigned(folder);
    return new AzureTestWorld(await FakeAzure.start(identity), folder, identity.caFile);
  }

  parameters(change: Record<string, unknown> = {}): Record<string, unknown> {
    return { ...this.azure.parameters(this.#caFile), ...change };
  }

  /** Without wrappers. */
  raw(change: Record<string, unknown> = {}): Promise<Driver> {
    return this.rawWith(this.parameters(change));
  }

  /** Of exactly these parameters. */
  async rawWith(parameters: Record<string, unknown>): Promise<Driver> {
    const driver = await openDriver('azure', {
      parameters,
      instanceSetId: 'zzzzz-gj3su-abc',
      stateDir: this.#folder,
      clock: systemClock,
      random: Math.random,
      warn: (message, fields) => void this.warnings.push({ message, fields }),
    });
    this.#opened.push(driver);
    return driver;
  }

  async driver(change: Record<string, unknown> = {}): Promise<Driver> {
    return wrapped(await this.raw(change));
  }

  async end(): Promise<void> {
    for (const driver of this.#opened.splice(0)) await driver.stop();
    await this.azure.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** What this cloud can make. */
export const azureSpec = (change: Partial<CreateSpec> = {}): CreateSpec =>
  spec({ instanceType: type('small', { providerType: 'Standard_D2s_v5' }), imageId: 'worker', ...change });
