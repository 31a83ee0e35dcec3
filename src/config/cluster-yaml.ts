import { parse, type Tags } from 'yaml';

/** Tags of YAML 1.1 that the cluster's own programs do not use: they read `1:30` and dates as text. */
const unknownThere = ['intTime', 'floatTime', 'timestamp'];

/**
 * Parses YAML 1.1 like the cluster's own programs: `yes` is true and `0644` is octal. Throws the parser's error, which
 * quotes the text.
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
