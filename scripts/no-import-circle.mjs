// An ESLint rule: no file of src imports itself over others. Imports of types count too, which `no-cycle` of the import
// plugins leaves out.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';

/** The files that each file below `root` imports, by path. */
export function readImports(root) {
  const names = readdirSync(root, { recursive: true }).filter((name) => /(?<!\.d)\.ts$/.test(name));
  return new Map(
    names.map((name) => {
      const path = join(root, name);
      const { importedFiles } = ts.preProcessFile(readFileSync(path, 'utf8'), true, true);
      const own = importedFiles.filter(({ fileName }) => fileName.startsWith('.'));
      return [path, own.map(({ fileName }) => join(dirname(path), fileName).replace(/\.js$/, '.ts'))];
    }),
  );
}

/** The shortest way from a file over its imports back to it; `undefined`: there is none. */
export function findCircle(imports, start) {
  const before = new Map();
  for (const queue = [start]; queue.length > 0;) {
    const path = queue.shift();
    for (const next of imports.get(path) ?? []) {
      if (next === start) {
        const circle = [start];
        for (let at = path; at !== start; at = before.get(at)) circle.unshift(at);
        return [start, ...circle];
      }
      if (before.has(next)) continue;
      before.set(next, path);
      queue.push(next);
    }
  }
  return undefined;
}

const graphs = new Map();

/** Rule `no-import-circle`; its option is the folder whose files it judges. */
export const noImportCircle = {
  meta: {
    type: 'problem',
    schema: [{ type: 'string' }],
    messages: { circle: 'import circle: {{ circle }}' },
  },
  create(context) {
    const [root] = context.options;
    return {
      Program(node) {
        if (!graphs.has(root)) graphs.set(root, readImports(root));
        const circle = findCircle(graphs.get(root), context.filename);
        if (!circle) return;
        const names = circle.map((path) => relative(root, path)).join(' → ');
        context.report({ node, messageId: 'circle', data: { circle: names } });
      },
    };
  },
};
