import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/** Reads the program's own sources, for tests alone: which texts it shows, and which of them nobody can translate. */

/** What a component shows or says aloud when it is given a text. */
const SHOWN = new Set([
  'label',
  'title',
  'hint',
  'description',
  'placeholder',
  'aria-label',
  'alt',
  'closeButtonLabel',
  'consequence',
  'confirm',
  'cancel',
  'done',
  'meaning',
  'where',
]);
/** Where a text is never shown to anybody. */
const HIDDEN = new Set(['className', 'style', 'styles', 'href', 'src', 'rel', 'autoComplete', 'd', 'key']);
/** Examples and other people's names, which are the same in every language. */
const SAME_FILES = ['pages/api/shape.ts', 'parts/clients.ts'];
const SAME_EVERYWHERE = new Set([
  'openai-compatible chat',
  'openai-compatible responses',
  'azure-compatible chat',
  'azure-compatible responses',
  'azure-compatible deployments',
  'Azure OpenAI',
  'Amazon Bedrock',
  'europe-west4',
  'eu-central-1',
  'Claude Code',
  'Kilo Code',
  'OpenAI Chat Completions',
  'OpenAI Responses',
  'Anthropic Messages',
  'Gemini',
  'Ollama',
  'Be brief.',
]);

const LETTERS = /[A-Za-z]{2,}/;
const PROSE = /[A-Za-z]{2,}[,.;:]? [A-Za-z]|[a-z]+ $|^ [a-z]+/;
/** A word beside a value. */
const AROUND = /(^|[\s}])[a-z]{2,}([\s{]|$)/;

type Found = { texts: Map<string, string>; loose: string[] };

export function readTexts(root: string): Found {
  const texts = new Map<string, string>();
  const loose: string[] = [];
  for (const name of readdirSync(root, { recursive: true }).map(String)) {
    if (!/\.tsx?$/.test(name) || /\.test\./.test(name) || /^(api|i18n)\//.test(name)) continue;
    const source = ts.createSourceFile(name, readFileSync(join(root, name), 'utf8'), ts.ScriptTarget.Latest, true);
    const at = (node: ts.Node) => `${name}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
    const visit = (node: ts.Node): void => {
      const call = ts.isCallExpression(node) && ts.isIdentifier(node.expression) && ['t', 'rich'].includes(node.expression.text);
      if (call) {
        const [message, ...values] = node.arguments;
        if (message && ts.isStringLiteralLike(message)) texts.set(message.text, at(node));
        else loose.push(`${at(node)} asks for a text that is only known at run time`);
        values.forEach(visit);
        return;
      }
      const text = SAME_FILES.includes(name) ? null : looseText(node);
      if (text) loose.push(`${at(node)} ${text}`);
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  return { texts, loose };
}

/** A text of a node that stands in the source as it is shown. */
function looseText(node: ts.Node): string | null {
  if (ts.isJsxText(node)) return LETTERS.test(node.text) ? node.text.trim() : null;
  if (ts.isStringLiteralLike(node) || ts.isTemplateExpression(node)) {
    const text = ts.isTemplateExpression(node) ? [node.head.text, ...node.templateSpans.map((span) => span.literal.text)].join('{}') : node.text;
    const name = nameOf(node);
    if (neverShown(node) || (name && HIDDEN.has(name)) || SAME_EVERYWHERE.has(text) || text.includes('var(--')) return null;
    if (name && SHOWN.has(name) && LETTERS.test(text)) return text;
    return PROSE.test(text) || (ts.isTemplateExpression(node) && /\s/.test(text) && AROUND.test(text)) ? text : null;
  }
  return null;
}

/** Of what the text is the value, through choices: `title={one ? 'this' : 'that'}` is a title either way. */
function nameOf(node: ts.Node): string | null {
  let { parent } = node;
  while (
    parent &&
    (ts.isConditionalExpression(parent) ||
      ts.isParenthesizedExpression(parent) ||
      ts.isJsxExpression(parent) ||
      (ts.isBinaryExpression(parent) && !/=/.test(parent.operatorToken.getText())))
  )
    parent = parent.parent;
  if (parent && (ts.isJsxAttribute(parent) || ts.isPropertyAssignment(parent))) return parent.name.getText().replace(/['"]/g, '');
  return null;
}

/** Imports and types, and what only programmers read. */
function neverShown(node: ts.Node): boolean {
  const { parent } = node;
  if (ts.isPropertyAssignment(parent) && parent.name === node) return true;
  if (ts.isImportDeclaration(parent) || ts.isLiteralTypeNode(parent) || ts.isExpressionStatement(parent)) return true;
  if (ts.isNewExpression(parent)) return /Error$/.test(parent.expression.getText());
  // keys of queries and names of styles
  return ts.isArrayLiteralExpression(parent) && nameOf(parent) === 'queryKey';
}
