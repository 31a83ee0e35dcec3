import type { Tags } from '../../domain/instance.js';

/** `longshore:launch:3:KEY` is the tag KEY of the fourth instance of the request, on all of them. */
const prefix = 'longshore:launch:';

/** Those that all instances of a request have alike. */
export function commonTags(all: readonly Tags[]): Tags {
  const [first = {}, ...others] = all;
  return Object.fromEntries(
    Object.entries(first).filter(([key, value]) =>
      others.every((each) => Object.hasOwn(each, key) && each[key] === value),
    ),
  );
}

/**
 * What is put on all instances of one request, as EC2 tags them alike: the tags they share, and those of each under its
 * place in the request. For one instance its tags as they are.
 */
export function launchTags(all: readonly Tags[]): Tags {
  const common = commonTags(all);
  const own = all.flatMap((tags, index) =>
    Object.entries(tags)
      .filter(([key]) => !Object.hasOwn(common, key))
      .map(([key, value]): [string, string] => [`${prefix}${index}:${key}`, value]),
  );
  return { ...common, ...Object.fromEntries(own) };
}

/** The tags of the instance at this place of its request, which are on it in one way or the other. */
export function tagsAt(launchIndex: number, onInstance: Tags): Tags {
  const entries = Object.entries(onInstance);
  if (!entries.some(([key]) => key.startsWith(prefix))) return onInstance;
  const mine = `${prefix}${launchIndex}:`;
  const own = entries.filter(([key]) => key.startsWith(mine));
  const plain = entries.filter(([key]) => !key.startsWith(prefix));
  const named = own.map(([key, value]): [string, string] => [key.slice(mine.length), value]);
  return Object.fromEntries([...named, ...plain]);
}
