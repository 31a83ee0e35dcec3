import { isMap, isNode, isScalar, LineCounter, parseDocument, visit, type Document } from 'yaml';
import type { ConfigProblem } from './config-error.js';

type Path = readonly PropertyKey[];
type Place = Pick<ConfigProblem, 'line' | 'column'>;

/** Own texts for parser errors: the parser's messages quote the file, which may contain secrets. */
const remedies: Readonly<Record<string, string>> = {
  BAD_DQ_ESCAPE: 'a backslash inside double quotes starts an escape: use single quotes',
  BAD_INDENT: 'the indentation does not fit the lines around it',
  BAD_SCALAR_START: 'a value cannot start with this character: put it in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'two colons on one line: put the value in quotes',
  DUPLICATE_KEY: 'this key is here twice: remove one',
  MISSING_CHAR: 'a quote, bracket, comma or colon is missing',
  MULTIPLE_DOCS: 'a second document begins with ---: keep one',
  TAB_AS_INDENT: 'indent with spaces, not with a tab',
  TAG_RESOLVE_FAILED: 'a value that begins with ! must be in quotes',
};

/** A parsed YAML text with the positions of its values. */
export class YamlFile {
  readonly #document: Document;
  readonly #lines = new LineCounter();

  constructor(text: string) {
    this.#document = parseDocument(text, { lineCounter: this.#lines });
  }

  /** Returns every syntax error of the text. Never shows a value. */
  syntaxProblems(): ConfigProblem[] {
    const found = [...this.#document.errors, ...this.#document.warnings].map(({ code, pos }) => {
      const message = `this is no YAML: ${remedies[code] ?? 'put the value in quotes or check the indentation'}`;
      return { path: '', message, ...this.#at(pos[0]) };
    });
    visit(this.#document, {
      Alias: (_key, alias) => {
        if (alias.resolve(this.#document) !== undefined) return;
        const message = 'a value that begins with * must be in quotes';
        found.push({ path: '', message, ...this.#at(alias.range?.[0] ?? 0) });
      },
    });
    return found;
  }

  /** Returns the text as plain data; an empty file is an empty map. `undefined` when aliases expand without end. */
  data(): unknown {
    try {
      return this.#document.toJS() ?? {};
    } catch (error) {
      if (error instanceof ReferenceError) return undefined;
      throw error;
    }
  }

  /** Returns `undefined` for a missing value, a map or a list. */
  valueAt(path: Path): unknown {
    const value = this.#nodeAt(path);
    return isScalar(value) ? value.value : undefined;
  }

  /** Whether a value exists, even an empty one. */
  has(path: Path): boolean {
    return this.#nodeAt(path) !== undefined;
  }

  /** Returns the position of the value; if it is missing, of the nearest enclosing one. */
  placeOf(path: Path): Place {
    const node = this.#nodeAt(path);
    if (isNode(node) && node.range) return this.#at(node.range[0]);
    return path.length === 0 ? { line: 1, column: 1 } : this.placeOf(path.slice(0, -1));
  }

  /** Returns the position of the key itself. */
  placeOfKey(path: Path, key: string): Place {
    const parent = this.#nodeAt(path);
    const pair = isMap(parent)
      ? parent.items.find((item) => isScalar(item.key) && String(item.key.value) === key)
      : undefined;
    return isNode(pair?.key) && pair.key.range ? this.#at(pair.key.range[0]) : this.placeOf(path);
  }

  #nodeAt(path: Path): unknown {
    return path.length === 0 ? this.#document.contents : this.#document.getIn(path, true);
  }

  #at(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    return { line, column: col };
  }
}
