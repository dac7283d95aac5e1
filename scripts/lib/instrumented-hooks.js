// Module hooks for the fuzzer, before transpiled-hooks.js: what lies under src/ is transpiled with a counter at the
// beginning of each function, branch, loop, case and right side of &&, || and ??.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL('../..', import.meta.url));
const digest = (...parts) =>
  parts.reduce((hash, part) => hash.update(part).update('\0'), createHash('sha256')).digest('hex');
const toolchain = digest(
  readFileSync(fileURLToPath(import.meta.url)),
  require('typescript/package.json').version,
);
const sources = new URL('../../src/', import.meta.url).href;
/** Texts of a source that may mean something in its input. */
const textLettersMax = 24;

export function load(url, context, nextLoad) {
  if (!url.startsWith(sources) || !url.endsWith('.ts')) return nextLoad(url, context);
  return { format: 'module', source: kept(fileURLToPath(url)), shortCircuit: true };
}

/** As transpiled-hooks.js keeps what it made: one file a source, with the hash of what it was made from. */
function kept(path) {
  const text = readFileSync(path, 'utf8');
  const mark = `\n//${digest(toolchain, path, text)}`;
  const at = join(root, '.tap/instrumented', `${relative(root, path)}.js`);
  try {
    const source = readFileSync(at, 'utf8');
    if (source.endsWith(mark)) return source;
  } catch {
    // not made yet
  }
  const source = instrumented(path, text) + mark;
  mkdirSync(dirname(at), { recursive: true });
  writeFileSync(`${at}.${process.pid}`, source);
  renameSync(`${at}.${process.pid}`, at);
  return source;
}

function instrumented(path, text) {
  const ts = require('typescript');
  const found = { count: 0, texts: new Set() };
  const { outputText } = ts.transpileModule(text, {
    fileName: path,
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      esModuleInterop: true,
    },
    transformers: { before: [(context) => (file) => counted(ts, context, file, found)] },
  });
  const name = JSON.stringify(relative(root, path));
  const texts = JSON.stringify([...found.texts]);
  // A worker has no such array: nobody looks at what it does. One line with what follows: places stay.
  const begin = `const $ran = globalThis.kikitoriBranches?.of(${name}, ${found.count}, ${texts}) ?? [];`;
  return `${begin} ${outputText}\n//# sourceURL=${join(root, relative(root, path))}`;
}

function counted(ts, context, file, found) {
  const { factory: f } = context;
  const count = () =>
    f.createPostfixIncrement(
      f.createElementAccessExpression(f.createIdentifier('$ran'), found.count++),
    );
  const statement = () => f.createExpressionStatement(count());
  const expression = (e) =>
    f.createParenthesizedExpression(f.createBinaryExpression(count(), ts.SyntaxKind.CommaToken, e));
  const block = (s) =>
    ts.isBlock(s)
      ? f.updateBlock(s, [statement(), ...s.statements])
      : f.createBlock([statement(), s]);
  const lazy = new Set([
    ts.SyntaxKind.AmpersandAmpersandToken,
    ts.SyntaxKind.BarBarToken,
    ts.SyntaxKind.QuestionQuestionToken,
  ]);
  const visit = (node) => {
    if (ts.isTypeNode(node) || ts.isImportDeclaration(node) || ts.isInterfaceDeclaration(node))
      return node;
    if (ts.isStringLiteral(node) && node.text !== '' && node.text.length <= textLettersMax)
      found.texts.add(node.text);
    const n = ts.visitEachChild(node, visit, context);
    if (ts.isFunctionLike(n) && n.body !== undefined && ts.isBlock(n.body)) return body(n);
    if (ts.isArrowFunction(n))
      return f.updateArrowFunction(
        n,
        n.modifiers,
        n.typeParameters,
        n.parameters,
        n.type,
        n.equalsGreaterThanToken,
        expression(n.body),
      );
    if (ts.isIfStatement(n))
      return f.updateIfStatement(
        n,
        n.expression,
        block(n.thenStatement),
        n.elseStatement === undefined ? undefined : block(n.elseStatement),
      );
    if (ts.isForStatement(n))
      return f.updateForStatement(n, n.initializer, n.condition, n.incrementor, block(n.statement));
    if (ts.isForOfStatement(n))
      return f.updateForOfStatement(
        n,
        n.awaitModifier,
        n.initializer,
        n.expression,
        block(n.statement),
      );
    if (ts.isWhileStatement(n)) return f.updateWhileStatement(n, n.expression, block(n.statement));
    if (ts.isCaseClause(n))
      return f.updateCaseClause(n, n.expression, [statement(), ...n.statements]);
    if (ts.isDefaultClause(n)) return f.updateDefaultClause(n, [statement(), ...n.statements]);
    if (ts.isCatchClause(n)) return f.updateCatchClause(n, n.variableDeclaration, block(n.block));
    if (ts.isConditionalExpression(n))
      return f.updateConditionalExpression(
        n,
        n.condition,
        n.questionToken,
        expression(n.whenTrue),
        n.colonToken,
        expression(n.whenFalse),
      );
    if (ts.isBinaryExpression(n) && lazy.has(n.operatorToken.kind))
      return f.updateBinaryExpression(n, n.left, n.operatorToken, expression(n.right));
    return n;
  };
  const body = (n) => {
    const b = block(n.body);
    if (ts.isFunctionDeclaration(n))
      return f.updateFunctionDeclaration(
        n,
        n.modifiers,
        n.asteriskToken,
        n.name,
        n.typeParameters,
        n.parameters,
        n.type,
        b,
      );
    if (ts.isMethodDeclaration(n))
      return f.updateMethodDeclaration(
        n,
        n.modifiers,
        n.asteriskToken,
        n.name,
        n.questionToken,
        n.typeParameters,
        n.parameters,
        n.type,
        b,
      );
    if (ts.isArrowFunction(n))
      return f.updateArrowFunction(
        n,
        n.modifiers,
        n.typeParameters,
        n.parameters,
        n.type,
        n.equalsGreaterThanToken,
        b,
      );
    if (ts.isGetAccessorDeclaration(n))
      return f.updateGetAccessorDeclaration(n, n.modifiers, n.name, n.parameters, n.type, b);
    // Constructors may have to begin with super().
    return n;
  };
  return ts.visitNode(file, visit);
}
