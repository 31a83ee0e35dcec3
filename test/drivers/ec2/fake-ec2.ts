import { ec2Error, type Ec2Answer, type Ec2Request } from '../../support/ec2-proxy.js';
import { instanceXml, page, reply, type Described } from './world.js';

/** What EC2 keeps of instances: those of several in one request (RunInstances in the Amazon EC2 API Reference), and their tags. */
export class FakeEc2 {
  readonly instances: (Described & { tags: Record<string, string> })[] = [];
  /** Instances that still fit, by subnet; not given: any number. */
  readonly room: Record<string, number> = {};
  /** Requests for instances wait until this is called, once for each. */
  readonly held: (() => void)[] = [];
  holds = false;
  /** Replies to these are lost. */
  loses = false;
  readonly #told = new Map<string, Ec2Answer>();

  async answer({ action, parameters }: Ec2Request): Promise<Ec2Answer | undefined> {
    if (action === 'DescribeInstances') return page(this.instances);
    const of = this.instances.find(({ id }) => id === parameters.get('ResourceId.1'));
    if (of && action === 'CreateTags') Object.assign(of.tags, tagsIn(parameters, 'Tag'));
    if (of && action === 'DeleteTags') {
      for (const key of Object.keys(tagsIn(parameters, 'Tag'))) delete of.tags[key];
    }
    if (action !== 'RunInstances') return undefined;
    if (this.holds) await new Promise<void>((resolve) => this.held.push(resolve));
    const token = parameters.get('ClientToken')!;
    const made = this.#told.get(token) ?? this.#run(parameters);
    this.#told.set(token, made);
    return this.loses ? 'silent' : made;
  }

  /** Lets go what it holds, and holds nothing more. */
  release(): void {
    this.holds = false;
    this.held.splice(0).forEach((go) => go());
  }

  #run(parameters: URLSearchParams): Ec2Answer {
    const subnet = parameters.get('NetworkInterface.1.SubnetId') ?? '';
    const room = this.room[subnet] ?? Infinity;
    if (room === 0) return ec2Error(500, 'InsufficientInstanceCapacity', 'There is not enough capacity.');
    const count = Math.min(room, Number(parameters.get('MaxCount')));
    this.room[subnet] = room - count;
    const made = Array.from({ length: count }, (_, launchIndex) => ({
      id: `i-0${(this.instances.length + launchIndex).toString(16)}`,
      launchIndex,
      subnet,
      tags: { ...tagsIn(parameters, 'TagSpecification.1.Tag') },
    }));
    this.instances.push(...made);
    // In no order that anybody promised.
    return reply('RunInstances', `<instancesSet>${made.map(instanceXml).reverse().join('')}</instancesSet>`);
  }
}

/** Tags of a request, whose names begin so. */
export function tagsIn(parameters: URLSearchParams, prefix: string): Record<string, string> {
  const tags: Record<string, string> = {};
  for (let index = 1; parameters.has(`${prefix}.${index}.Key`); index++)
    tags[parameters.get(`${prefix}.${index}.Key`)!] = parameters.get(`${prefix}.${index}.Value`) ?? '';
  return tags;
}
