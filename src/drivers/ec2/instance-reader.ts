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
const chunkBytes = 16_384;
/** A place in the document: what is below it, and what to do when it ends. */
interface Place {
  readonly below: Readonly<Record<string, Place>>;
  begin?(draft: Draft): void;
  /** With the text in it. */
  end?(draft: Draft, text: string): void;
}

/** What is being read. */
interface Draft {
  page: InstancePage;
  instance: ListedInstance & { tags: Record<string, string> };
  key: string;
  value: string;
}

const leaf = (end: NonNullable<Place['end']>): Place => ({ below: {}, end });
const field = (name: Exclude<keyof ListedInstance, 'isSpot' | 'launchIndex' | 'tags'>): Place =>
  leaf((draft, text) => void (draft.instance[name] = text.trim()));

const tag: Place = {
  below: {
    key: leaf((draft, text) => void (draft.key = text)),
    value: leaf((draft, text) => void (draft.value = text)),
  },
  begin: (draft) => void (draft.key = draft.value = ''),
  end: ({ instance, key, value }) => void (instance.tags[key] = value),
};

const instance: Place = {
  below: {
    instanceId: field('id'),
    instanceState: { below: { name: field('state') } },
    instanceType: field('type'),
    privateIpAddress: field('privateIp'),
    subnetId: field('subnetId'),
    placement: { below: { availabilityZone: field('zone') } },
    amiLaunchIndex: leaf((draft, text) => void (draft.instance.launchIndex = Number.parseInt(text, 10))),
    instanceLifecycle: leaf((draft, text) => void (draft.instance.isSpot = text.trim() === 'spot')),
    tagSet: { below: { item: tag } },
  },
  begin: (draft) => void (draft.instance = blank()),
  end: ({ page, instance: read }) => void page.instances.push(read),
};

const nextToken = leaf(({ page }, text) => void (page.nextToken = text.trim()));
const reservation: Place = { below: { instancesSet: { below: { item: instance } } } };
const document: Place = {
  below: {
    DescribeInstancesResponse: { below: { reservationSet: { below: { item: reservation } }, nextToken } },
  },
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

const blank = (): Draft['instance'] => ({
  id: '',
  state: '',
  type: '',
  privateIp: '',
  subnetId: '',
  zone: '',
  isSpot: false,
  launchIndex: Number.NaN,
  tags: {},
});

function parserOf(page: InstancePage): SaxesParser {
  const parser = new SaxesParser({ position: false });
  const draft: Draft = { page, instance: blank(), key: '', value: '' };
  const path: Place[] = [];
  let place = document;
  /** How many elements deep in something that is not wanted. */
  let beside = 0;
  let text = '';
  const onText = (part: string): void => {
    if (beside === 0) text += part;
  };
  parser.on('opentag', ({ name }) => {
    const below = beside === 0 && Object.hasOwn(place.below, name) ? place.below[name] : undefined;
    if (below === undefined) {
      beside++;
      return;
    }
    path.push(place);
    place = below;
    text = '';
    below.begin?.(draft);
  });
  parser.on('text', onText);
  parser.on('cdata', onText);
  parser.on('closetag', () => {
    if (beside > 0) {
      beside--;
      return;
    }
    place.end?.(draft, text);
    text = '';
    place = path.pop()!;
  });
  return parser;
}
