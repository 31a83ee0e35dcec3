// The EC2 driver reading a long list. The pages are those of moto, an emulator of EC2, told again by a server in a thread
// of its own: the emulator itself takes seconds for a page.
import { EC2Client, DescribeInstancesCommand, RunInstancesCommand } from '@aws-sdk/client-ec2';
import { Worker } from 'node:worker_threads';
import { systemClock } from '../src/domain/clock.js';
import { openDriver } from '../src/drivers/registry.js';
import { findMoto, missingMoto, startMoto } from '../test/support/moto.js';
import { measureTurns, type TurnFigures } from './bench-turns.js';

const instances = 10_000;
const pageSize = 1_000;
const tags = {
  ArvadosInstanceSetID: 'bench',
  ArvadosInstanceType: 'small',
  ArvadosIdleBehavior: 'run',
  ArvadosInstanceSecret: `sha256:${'0'.repeat(64)}`,
};
const account = () => ({
  region: 'us-east-1',
  credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
});

/** Lists 10,000 tagged instances, by the driver and, to compare, by the library's own reader; `undefined` without moto. */
export async function benchEc2List(): Promise<
  { ours: TurnFigures; library: TurnFigures; megabytes: number } | string
> {
  const program = findMoto();
  if (program === undefined) return missingMoto;
  const item = await itemOf(program);
  const { url, stop } = await servePages(item);
  const driver = await openDriver('ec2', {
    parameters: { region: 'us-east-1', accessKeyId: 'bench', secretAccessKey: 'bench', endpoint: url },
    instanceSetId: 'bench',
    stateDir: '.',
    clock: systemClock,
    random: Math.random,
  });
  const signal = new AbortController().signal;
  const ours = await best(async () => {
    const found = await driver.list({ ArvadosInstanceSetID: 'bench' }, { signal });
    if (found.length !== instances) throw new Error(`${found.length} instances were listed`);
  });
  const client = new EC2Client({ ...account(), endpoint: url });
  const library = await best(async () => {
    for (let NextToken: string | undefined; ;) {
      const page = await client.send(
        new DescribeInstancesCommand({ MaxResults: pageSize, ...(NextToken ? { NextToken } : {}) }),
      );
      if (!page.NextToken) return;
      NextToken = page.NextToken;
    }
  });
  client.destroy();
  await driver.stop();
  await stop();
  return { ours, library, megabytes: (item.length * instances) / 1e6 };
}

/** One instance with the pool's tags, in the emulator's own words. */
async function itemOf(program: string): Promise<string> {
  const moto = await startMoto(program);
  const ec2 = new EC2Client({ ...account(), endpoint: moto.url });
  let body = '';
  const command = new DescribeInstancesCommand({});
  command.middlewareStack.add(
    (next) => async (request) => {
      const result = await next(request);
      const response = result.response as { body: AsyncIterable<Uint8Array> };
      const chunks: Uint8Array[] = [];
      for await (const chunk of response.body) chunks.push(chunk);
      body = Buffer.concat(chunks).toString();
      response.body = (async function* () {
        yield Buffer.from('<DescribeInstancesResponse/>');
      })();
      return result;
    },
    { step: 'deserialize', priority: 'low' },
  );
  try {
    const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
    await ec2.send(
      new RunInstancesCommand({
        ImageId: 'ami-12c6146b',
        InstanceType: 't3.micro',
        MinCount: 1,
        MaxCount: 1,
        TagSpecifications: [{ ResourceType: 'instance', Tags }],
      }),
    );
    await ec2.send(command).catch(() => {});
  } finally {
    ec2.destroy();
    await moto.stop();
  }
  const item = /<reservationSet>([\s\S]*)<\/reservationSet>/.exec(body)?.[1];
  if (item === undefined) throw new Error('the emulator described no instance');
  return item;
}

const server = `
const { parentPort, workerData: { item, pages, pageSize } } = require('node:worker_threads');
const { createServer } = require('node:http');
const id = /i-[0-9a-f]{17}/g;
const page = (at) => '<?xml version="1.0"?><DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">' +
  '<reservationSet>' + Array.from({ length: pageSize }, (_, index) =>
    item.replace(id, 'i-' + (at * pageSize + index).toString(16).padStart(17, '0'))).join('') + '</reservationSet>' +
  (at + 1 < pages ? '<nextToken>' + (at + 1) + '</nextToken>' : '') + '</DescribeInstancesResponse>';
const ready = Array.from({ length: pages }, (_, at) => Buffer.from(page(at)));
createServer((request, response) => {
  let body = '';
  request.on('data', (chunk) => (body += chunk)).on('end', () => {
    const at = Number(new URLSearchParams(body).get('NextToken') ?? 0);
    response.writeHead(200, { 'content-type': 'text/xml' }).end(ready[at]);
  });
}).listen(0, '127.0.0.1', function () { parentPort.postMessage(this.address().port); });
`;

async function servePages(item: string): Promise<{ url: string; stop(): Promise<unknown> }> {
  const worker = new Worker(server, {
    eval: true,
    workerData: { item, pages: instances / pageSize, pageSize },
  });
  const port = await new Promise<number>((resolve, reject) => {
    worker.once('message', resolve).once('error', reject);
  });
  return { url: `http://127.0.0.1:${port}`, stop: () => worker.terminate() };
}

/** The best of three passes after one to warm up. */
async function best(pass: () => Promise<void>): Promise<TurnFigures> {
  await pass();
  const figures: TurnFigures[] = [];
  for (let round = 0; round < 3; round++) figures.push(await measureTurns(pass));
  return figures.sort((a, b) => a.ms - b.ms)[0]!;
}
