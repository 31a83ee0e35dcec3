import type { Clock } from '../domain/clock.js';
import type { ExecutorFactory } from '../ssh/executor.js';
import type { DriverRecord } from './driver-record.js';
import type { DriverWarning } from './driver.js';
import type { Tags } from '../domain/instance.js';
import type { Registry } from 'prom-client';

export interface DriverContext {
  parameters: unknown;
  instanceSetId: string;
  /** Folder of everything that must outlive the daemon. */
  stateDir: string;
  clock: Clock;
  /** From 0 up to, not including, 1. */
  random: () => number;
  /** Texts among the parameters that nothing may show. Default: none. */
  secrets?: readonly string[];
  /** Of the configuration: where relative paths start. Default: that of the process. */
  folder?: string;
  /** Logs in to instances, for drivers that have to. */
  executors?: ExecutorFactory;
  /** Where a driver that must remember something keeps it. */
  record?: DriverRecord;
  /** Something went wrong beside the calls and was dealt with. Default: a warning of the process. */
  warn?: DriverWarning;
  /** For what a provider makes once for all instances. Default: none. */
  resourceTags?: Tags;
  /** Where a driver counts what only it knows. Default: nowhere. */
  registry?: Registry;
}
