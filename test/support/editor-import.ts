import ts from 'typescript';

/** Values that are code by nature, and that the editor's importer leaves out: it shows the chart without them. */
const mappers: ReadonlySet<string> = new Set(['context', 'input', 'params', 'output']);

/**
 * What the Stately editor's importer cannot follow in the source of a machine: it reads the text and runs nothing, so all
 * in the configuration has to be literal. Each fault with the text in question; empty when there is none.
 */
export function editorFaults(source: string): string[] {
  const file = ts.createSourceFile('machine.ts', source, ts.ScriptTarget.Latest, true);
  const faults: string[] = [];
  let machines = 0;
  const find = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && /\bcreateMachine$/.test(node.expression.getText())) {
      machines++;
      node.arguments.forEach((argument) => inspect(argument, faults));
    } else ts.forEachChild(node, find);
  };
  find(file);
  return machines === 1 ? faults : [`${machines} machines in one file`, ...faults];
}

function inspect(node: ts.Node, faults: string[]): void {
  if (ts.isObjectLiteralExpression(node))
    return node.properties.forEach((each) => inspectProperty(each, faults));
  if (ts.isArrayLiteralExpression(node)) return node.elements.forEach((each) => inspect(each, faults));
  if (!isLiteral(node)) faults.push(`${kindOf(node)}: ${node.getText()}`);
}

function inspectProperty(property: ts.ObjectLiteralElementLike, faults: string[]): void {
  if (!ts.isPropertyAssignment(property)) {
    faults.push(`${ts.isSpreadAssignment(property) ? 'spread' : 'no literal'}: ${property.getText()}`);
  } else if (ts.isComputedPropertyName(property.name)) {
    faults.push(`computed key: ${property.name.getText()}`);
  } else if (!mappers.has(property.name.getText())) {
    inspect(property.initializer, faults);
  }
}

function isLiteral(node: ts.Node): boolean {
  return (
    ts.isStringLiteralLike(node) ||
    ts.isNumericLiteral(node) ||
    [ts.SyntaxKind.TrueKeyword, ts.SyntaxKind.FalseKeyword, ts.SyntaxKind.NullKeyword].includes(node.kind)
  );
}

function kindOf(node: ts.Node): string {
  if (ts.isCallExpression(node)) return 'call';
  if (ts.isSpreadElement(node)) return 'spread';
  if (ts.isIdentifier(node) || ts.isPropertyAccessExpression(node)) return 'constant from elsewhere';
  if (ts.isArrowFunction(node) || ts.isFunctionExpression(node)) return 'function';
  return 'no literal';
}
