import { postgresSource } from '../../support/postgres-source.js';
import { storeContract } from './contract.js';

storeContract('PostgreSQL', postgresSource());
