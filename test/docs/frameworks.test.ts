/** Runs every example of docs/frameworks.md and asks it for a chat completion. */
import 'reflect-metadata';
import { Server } from 'node:net';
import { Controller, Module, Post, Req } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import ts from 'typescript';
import { CHAT, post } from '../support/client.js';
import { FRAMEWORKS } from '../support/frameworks.js';
import { portOfServer } from '../support/serving.js';
import { RecordTap } from '../support/records.js';
import { doc, examples, table } from './table.js';

interface Exports {
  POST?: (request: Request, context: unknown) => Promise<Response>;
  default?: { fetch(request: Request): Promise<Response> };
}

class ChatController {
  chat(req: { trace: { requestId: string } }): object {
    return { id: req.trace.requestId };
  }
}
const chat = Object.getOwnPropertyDescriptor(ChatController.prototype, 'chat')!;
Post('v1/chat/completions')(ChatController.prototype, 'chat', chat);
Req()(ChatController.prototype, 'chat', 0);
Controller()(ChatController);
// eslint-disable-next-line @typescript-eslint/no-extraneous-class -- NestJS hangs the module on it
class AppModule {}
Module({ controllers: [ChatController] })(AppModule);

/** Runs an example as a module whose top level may wait. */
async function run(code: string): Promise<Exports> {
  const { outputText } = ts.transpileModule(code, { compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, esModuleInterop: true } });
  const exports: Exports = {};
  // eslint-disable-next-line @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call
  await new Function('require', 'exports', 'AppModule', `return (async () => { ${outputText} })()`)(require, exports, AppModule);
  return exports;
}

describe('docs/frameworks.md', () => {
  let servers: Server[];
  let tap: RecordTap;
  beforeEach(() => {
    servers = [];
    tap = new RecordTap();
    const { listen } = Server.prototype;
    jest.spyOn(Server.prototype, 'listen').mockImplementation(function (this: Server, ...args: unknown[]) {
      servers.push(this);
      return (listen as (...given: unknown[]) => Server).call(this, 0, '127.0.0.1', args.find((arg): arg is () => void => typeof arg === 'function'));
    } as never);
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    tap.stop();
    for (const server of servers) await new Promise((resolve) => server.close(resolve));
  });

  test.each(examples('frameworks.md', 'ts').map(({ heading, code }, i) => [heading, i, code] as const))('%s: example %i answers with the id of its record', async (_heading, _i, code) => {
    const exported = await run(code);
    const handler = exported.POST ?? exported.default?.fetch;
    const request = new Request(`http://localhost${CHAT}`, { method: 'POST', body: '{"model":"m"}', headers: { 'content-type': 'application/json' } });
    const body = handler === undefined ? (await post(await portOfServer(servers[0]!))).body : await (await handler(request, { params: Promise.resolve({ model: 'm' }) })).text();
    const { id } = JSON.parse(body) as { id: string };
    expect(await tap.next('request completed')).toMatchObject({ status: 'success', endpoint: 'chat_completions' });
    expect(tap.of('request completed').map(({ scope }) => scope?.requestId)).toEqual([id]);
  });

  test('names every framework that the contract runs on', () => {
    const named = table('frameworks.md', 'framework').map(([name]) => name!.split(/[ :]/)[0]);
    expect(FRAMEWORKS.filter(({ name }) => !named.includes(name.split(/[ :]/)[0])).map(({ name }) => name)).toEqual([]);
    expect(doc('../README.md')).toContain('](docs/frameworks.md)');
  });
});
