'use strict';
const ts = require('typescript');

const compilerOptions = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, esModuleInterop: true, inlineSourceMap: true };

/** A Jest transformer with nothing but TypeScript's own transpiling: every mutant is a run of Jest, so its start is most of the time. */
module.exports = { process: (text, fileName) => ({ code: ts.transpileModule(text, { compilerOptions, fileName }).outputText }) };
