'use strict';
// Writes the option tables of docs/transport.md from the doc comments of the interfaces themselves:
// `node scripts/transport-docs.cjs --write`. A test holds the page equal to what this gives.
const fs = require('node:fs');
const path = require('node:path');
const ts = require('typescript');

const root = path.join(__dirname, '..');
const page = path.join(root, 'docs', 'transport.md');

/** The members of an interface as table rows: name and what its comment says. */
function rows(file, name) {
  const source = ts.createSourceFile(file, fs.readFileSync(path.join(root, file), 'utf8'), ts.ScriptTarget.ES2022, true);
  const found = source.statements.find((node) => ts.isInterfaceDeclaration(node) && node.name.text === name);
  if (found === undefined) throw new Error(`${file} has no interface ${name}`);
  return found.members.map((member) => {
    const comment = (member.jsDoc ?? []).map((doc) => ts.getTextOfJSDocComment(doc.comment) ?? '').join(' ');
    const text = comment.replace(/\{@link (\w+)(?:\.\w+)?\}/g, '`$1`').replace(/\s+/g, ' ').replace(/\|/g, '\\|').trim();
    if (text === '') throw new Error(`${name}.${member.name.text} has no comment`);
    return `| \`${member.name.text}\` | ${text} |`;
  });
}

/** The page with every `<!-- options file interface -->` block filled in. */
function render(text) {
  return text.replace(/(<!-- options (\S+) (\w+) -->\n)[\s\S]*?(<!-- end -->)/g, (_all, open, file, name, close) => `${open}| option | meaning and default |\n| --- | --- |\n${rows(file, name).join('\n')}\n${close}`);
}

module.exports = { page, render };
if (process.argv.includes('--write')) fs.writeFileSync(page, render(fs.readFileSync(page, 'utf8')));
