import { parse, type Tags } from 'yaml';

/** Tags of YAML 1.1 that the cluster's own programs do not know: `1:30` and a date are text to them. */
const unknownThere = ['intTime', 'floatTime', 'timestamp'];

/**
 * A text of the cluster as its own programs read it, which is YAML 1.1: `yes` is true and `0644` is octal. Throws what
 * the parser throws, which quotes the text.
 */
export function parseClusterYaml(text: string): unknown {
  return parse(text, {
    version: '1.1',
    merge: true,
    customTags: (tags: Tags) =>
      tags.filter((tag) =>
        typeof tag === 'string'
          ? !unknownThere.includes(tag)
          : tag.format !== 'TIME' && tag.tag !== 'tag:yaml.org,2002:timestamp',
      ),
    logLevel: 'error',
  });
}
