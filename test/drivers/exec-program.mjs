// A driver program for tests: its cloud is a folder, and the file "fault" there says what goes wrong.
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const folder = process.env.CLOUD_DIR;
const faults = {
  'rate-limited': { code: 'rate-limited', message: 'slow down', retryAfterSeconds: 7 },
  capacity: { code: 'capacity', message: 'none left', scope: 'type' },
  auth: {
    code: 'auth',
    message: `the password ${process.env.CLOUD_PASSWORD} is wrong`,
    remedy: 'set another',
  },
  unavailable: { code: 'unavailable', message: 'try later' },
};

const read = (name, otherwise) =>
  existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : otherwise;

/** One process at a time changes the cloud. */
async function locked(change) {
  const lock = join(folder, 'lock');
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  try {
    const servers = JSON.parse(read('servers.json', '[]'));
    const result = change(servers);
    writeFileSync(join(folder, 'servers.json'), JSON.stringify(servers));
    return result;
  } finally {
    rmdirSync(lock);
  }
}

class Refusal extends Error {
  constructor(error) {
    super(error.message);
    this.error = error;
  }
}

const methods = {
  hello: ({ parameters }) => ({ ...parameters.hello }),
  create: ({ instanceType, tags, idempotencyToken }) =>
    locked((servers) => {
      const known = servers.find(({ token }) => token === idempotencyToken);
      if (known) return known;
      if (servers.length >= 2) throw new Refusal({ code: 'quota', message: 'two are enough' });
      const number = Number(read('number', '0')) + 1;
      writeFileSync(join(folder, 'number'), String(number));
      const server = {
        id: `vm-${number}`,
        type: instanceType.providerType,
        address: `192.0.2.${number}`,
        tags,
        token: idempotencyToken,
        hostKeys: [process.env.CLOUD_HOST_KEY],
        ...JSON.parse(read('extra.json', '{}')),
      };
      servers.push(server);
      return server;
    }),
  list: () => locked((servers) => ({ instances: servers })),
  destroy: ({ id }) =>
    locked((servers) => {
      const index = servers.findIndex((server) => server.id === id);
      if (index === -1) throw new Refusal({ code: 'not-found', message: `no ${id}` });
      servers.splice(index, 1);
      return {};
    }),
  setTags: ({ id, tags }) =>
    locked((servers) => {
      const server = servers.find((each) => each.id === id);
      if (!server) throw new Refusal({ code: 'not-found', message: `no ${id}` });
      server.tags = tags;
      return {};
    }),
};

async function answer({ id, method, params }) {
  const fault = method === 'hello' ? '' : read('fault', '').trim();
  if (fault === 'silent') return;
  if (fault === 'crash') {
    console.error(`crashed with ${JSON.stringify(params)}`);
    process.exit(3);
  }
  if (fault.startsWith('say ')) return console.log(fault.slice(4));
  if (faults[fault]) return console.log(JSON.stringify({ id, error: faults[fault] }));
  try {
    console.log(JSON.stringify({ id, result: await methods[method](params) }));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    console.log(JSON.stringify({ id, error: error.error }));
  }
}

writeFileSync(join(folder, `pid-${process.pid}`), '');
for await (const line of createInterface({ input: process.stdin })) await answer(JSON.parse(line));
