import { SaxesParser } from 'saxes';
import type { ListedInstance } from './listed-instance.js';

/** One page of DescribeInstances. */
export interface InstancePage {
  instances: ListedInstance[];
  /** `''`: it is the last page (EC-40). */
  nextToken: string;
}

/** So long the reading of a page may hold up everything else. */
const longestSliceMs = 10;
const root = 'DescribeInstancesResponse';
const instance = `${root}/reservationSet/item/instancesSet/item`;

/** Where in the document which field of an instance is. */
const fields: Readonly<Record<string, Exclude<keyof ListedInstance, 'isSpot' | 'tags'>>> = {
  [`${instance}/instanceId`]: 'id',
  [`${instance}/instanceState/name`]: 'state',
  [`${instance}/instanceType`]: 'type',
  [`${instance}/privateIpAddress`]: 'privateIp',
  [`${instance}/subnetId`]: 'subnetId',
  [`${instance}/placement/availabilityZone`]: 'zone',
};

/**
 * Reads the XML of DescribeInstances as it arrives, in slices of some milliseconds: a page of a thousand instances is
 * several megabytes, and the library's own reader takes it in one go. Rejects with the parser's error for a document
 * that is damaged or cut off.
 */
export async function readInstancePage(chunks: AsyncIterable<Uint8Array>): Promise<InstancePage> {
  const page: InstancePage = { instances: [], nextToken: '' };
  const parser = parserOf(page);
  const decoder = new TextDecoder();
  let sliceFrom = performance.now();
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += chunkBytes) {
      parser.write(decoder.decode(chunk.subarray(at, at + chunkBytes), { stream: true }));
      if (performance.now() - sliceFrom < longestSliceMs) continue;
      await new Promise((resolve) => setImmediate(resolve));
      sliceFrom = performance.now();
    }
  }
  parser.write(decoder.decode());
  parser.close();
  return page;
}

const chunkBytes = 16_384;

interface Draft extends ListedInstance {
  tags: Record<string, string>;
}

const blank = (): Draft => ({
  id: '',
  state: '',
  type: '',
  privateIp: '',
  subnetId: '',
  zone: '',
  isSpot: false,
  tags: {},
});

function parserOf(page: InstancePage): SaxesParser {
  const parser = new SaxesParser({ position: false });
  const path: string[] = [];
  let place = '';
  let text = '';
  let draft = blank();
  let tag = { key: '', value: '' };
  const onText = (part: string): void => void (text += part);
  parser.on('opentag', ({ name }) => {
    path.push(place);
    place = place === '' ? name : `${place}/${name}`;
    text = '';
    if (place === instance) draft = blank();
    else if (place === `${instance}/tagSet/item`) tag = { key: '', value: '' };
  });
  parser.on('text', onText);
  parser.on('cdata', onText);
  parser.on('closetag', () => {
    const field = fields[place];
    if (field !== undefined) draft[field] = text.trim();
    else if (place === `${instance}/tagSet/item/key`) tag.key = text;
    else if (place === `${instance}/tagSet/item/value`) tag.value = text;
    else if (place === `${instance}/tagSet/item`) draft.tags[tag.key] = tag.value;
    else if (place === `${instance}/instanceLifecycle`) draft.isSpot = text.trim() === 'spot';
    else if (place === instance) page.instances.push(draft);
    else if (place === `${root}/nextToken`) page.nextToken = text.trim();
    text = '';
    place = path.pop() ?? '';
  });
  return parser;
}
