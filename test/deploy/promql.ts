/** What an expression of PromQL names. */
export interface Named {
  metric: string;
  /** Labels its selector looks at. */
  labels: string[];
}

const functions = new Set([
  'sum',
  'rate',
  'increase',
  'histogram_quantile',
  'by',
  'and',
  'or',
  'unless',
  'max',
  'avg',
]);
const word = /[a-zA-Z_:][a-zA-Z0-9_:]*/g;

/** The metrics of an expression with the labels selected, and the labels it groups by. Throws for what it cannot read. */
export function namedIn(expression: string): { metrics: Named[]; groupedBy: string[] } {
  const groupedBy: string[] = [];
  const metrics: Named[] = [];
  let rest = expression.replace(/\bby\s*\(([^)]*)\)/g, (_all, labels: string) => {
    groupedBy.push(...(labels.match(word) ?? []));
    return ' ';
  });
  rest = rest.replace(/\[\d+[smhd]\]/g, ' ');
  rest = rest.replace(
    /([a-zA-Z_:][a-zA-Z0-9_:]*)\s*\{([^}]*)\}/g,
    (_all, metric: string, selector: string) => {
      const labels = [...selector.matchAll(/([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)\s*"[^"]*"/g)].map(
        ([, label]) => label!,
      );
      const unread = selector.replace(/[a-zA-Z_]\w*\s*(?:=~|!~|!=|=)\s*"[^"]*"/g, '').replace(/[\s,]/g, '');
      if (unread !== '') throw new Error(`"${unread}" of {${selector}} is no matcher`);
      metrics.push({ metric, labels });
      return ' ';
    },
  );
  if (/[{}[\]"]/.test(rest)) throw new Error(`what is left of ${expression} is "${rest}"`);
  for (const name of rest.match(word) ?? [])
    if (!functions.has(name)) metrics.push({ metric: name, labels: [] });
  return { metrics, groupedBy };
}
