import { parseConfig } from '../../src/config/load.js';

const text = 'clusterId: aaaaa\ndriver: loopback\nmanagementToken: x\n';
const { stateDir, api } = parseConfig(text, { path: '/c.yaml', env: {} });

/** What holds when the configuration says nothing. */
export const byDefault = { stateDir, port: api.listen.split(':').at(-1) };
