import { DescribeInstancesCommand, type DescribeInstancesCommandInput } from '@aws-sdk/client-ec2';
import { Readable } from 'node:stream';
import type { Tags } from '../../domain/instance.js';
import { DriverError } from '../driver.js';
import type { Ec2Api } from './api.js';
import { readInstancePage, type InstancePage } from './instance-reader.js';
import { tagsAt } from './launch-tags.js';
import type { ListedInstance } from './listed-instance.js';

/** The most that EC2 gives at once. */
const pageSize = 1_000;
const living = ['pending', 'running', 'stopping', 'stopped'];
/** What the library gets to read in place of the page, which is read already. */
const emptyPage = '<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"/>';

interface HttpReply {
  statusCode: number;
  body: Readable;
}

/** All instances with the tags that are not on their way out, page by page; any error ends it (EC-40..EC-42). */
export async function describeInstances(
  api: Ec2Api,
  tags: Tags,
  signal: AbortSignal,
): Promise<ListedInstance[]> {
  // A tag of one that was asked for together with others may be there under another key.
  const filterOf = (key: string): string => (api.mayLaunchSeveral ? 'tag-value' : `tag:${key}`);
  const Filters = [
    { Name: 'instance-state-name', Values: living },
    ...Object.entries(tags).map(([key, value]) => ({ Name: filterOf(key), Values: [literal(value)] })),
  ];
  const isWanted = ({ launchIndex, tags: onInstance }: ListedInstance): boolean => {
    const own = tagsAt(launchIndex, onInstance);
    return Object.entries(tags).every(([key, value]) => own[key] === value);
  };
  const instances: ListedInstance[] = [];
  for (let NextToken = ''; ;) {
    const input = { Filters, MaxResults: pageSize, ...(NextToken === '' ? {} : { NextToken }) };
    const page = await describePage(api, input, signal);
    instances.push(...(api.mayLaunchSeveral ? page.instances.filter(isWanted) : page.instances));
    if (page.nextToken === '') return instances;
    if (page.nextToken === NextToken) {
      throw new DriverError('unavailable', 'list instances: EC2 gave the same page twice');
    }
    NextToken = page.nextToken;
  }
}

/** The one instance, also on its way out. Rejects with `not-found` when EC2 does not know it. */
export async function describeInstance(
  api: Ec2Api,
  id: string,
  signal: AbortSignal,
): Promise<ListedInstance> {
  const { instances } = await describePage(api, { InstanceIds: [id] }, signal);
  const [found] = instances;
  if (found === undefined)
    throw new DriverError('not-found', `describe instance ${id}: EC2 does not know it`);
  return found;
}

async function describePage(
  api: Ec2Api,
  input: DescribeInstancesCommandInput,
  signal: AbortSignal,
): Promise<InstancePage> {
  let page: InstancePage | undefined;
  const command = new DescribeInstancesCommand(input);
  // Nearest to the wire, so that errors stay the library's business and its own reader finds nothing to do.
  command.middlewareStack.add(
    (next) => async (request) => {
      const result = await next(request);
      const reply = result.response as HttpReply;
      if (reply.statusCode !== 200) return result;
      page = await readInstancePage(reply.body);
      reply.body = Readable.from([Buffer.from(emptyPage)]);
      return result;
    },
    { step: 'deserialize', priority: 'low', name: 'readInstancesAsTheyArrive' },
  );
  await api.send({ what: 'list instances', kind: 'read', signal }, (client, abortSignal) =>
    client.send(command, { abortSignal }),
  );
  return page!;
}

/** EC2 takes `*` and `?` in the value of a filter for any text. */
function literal(value: string): string {
  return value.replace(/[\\*?]/g, '\\$&');
}
