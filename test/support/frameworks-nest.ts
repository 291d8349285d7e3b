/** The contract's servers on NestJS 11. The decorators are applied by hand, because the table of handlers is not known before. */
/* eslint-disable @typescript-eslint/no-extraneous-class, @typescript-eslint/no-unsafe-class-instance-assignment -- NestJS has classes without members and options typed by a class */
import 'reflect-metadata';
import { All, Controller, Module, Req, Res, StreamableFile, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import express, { type Request, type Response } from 'express';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { dynamoTracing, dynamoTracingNestErrors } from 'dynamo-tracing';
import { dynamoTracing as fastifyTracing } from 'dynamo-tracing/fastify';
import type { Framework, NativeHandler, RawHandler, TestAppOptions } from './frameworks.js';
import { serving } from './serving.js';

type Platform = 'express' | 'fastify';
type NestRequest = Request & FastifyRequest;
type NestReply = Response & FastifyReply;

function rawMethod(handler: RawHandler) {
  return async (request: NestRequest, reply: NestReply): Promise<void> => {
    const isFastify = 'raw' in reply;
    await handler(isFastify ? Object.assign(request.raw, { body: request.body as unknown }) : request, isFastify ? reply.raw : reply, request.trace);
    if (isFastify) reply.hijack();
  };
}

/** The answer is what the method returns, as NestJS has it. */
function nativeMethod(handler: NativeHandler) {
  return async (request: NestRequest, reply: NestReply): Promise<unknown> => {
    let answer: unknown;
    const take = (status: number, contentType: string | undefined, body: unknown): void => {
      reply.status(status);
      if (contentType !== undefined) reply.header('content-type', contentType);
      answer = body;
    };
    await handler({
      json: (status, body) => take(status, undefined, body),
      text: (status, contentType, body, headers = {}) => {
        for (const [name, value] of Object.entries(headers)) reply.header(name, value);
        take(status, contentType, body);
      },
      stream: (contentType, source) => take(200, undefined, new StreamableFile(source, { type: contentType })),
    }, { body: request.body, trace: request.trace });
    return answer;
  };
}

function moduleOf({ raw = {}, native = {} }: TestAppOptions): new () => object {
  class TestController {}
  const add = (path: string, method: unknown, passthrough: boolean): void => {
    const descriptor = { value: method, configurable: true, writable: true };
    Object.defineProperty(TestController.prototype, path, descriptor);
    All(path)(TestController.prototype, path, descriptor);
    Req()(TestController.prototype, path, 0);
    Res({ passthrough })(TestController.prototype, path, 1);
  };
  for (const [path, handler] of Object.entries(raw)) add(path, rawMethod(handler), false);
  for (const [path, handler] of Object.entries(native)) add(path, nativeMethod(handler), true);
  Controller()(TestController);
  class TestModule {}
  Module({ controllers: [TestController] })(TestModule);
  return TestModule;
}

export function nestFramework(platform: Platform): Framework {
  return {
    name: `NestJS 11 on ${platform === 'fastify' ? 'Fastify' : 'Express'}`,
    start: async (options) => {
      const module = moduleOf(options);
      let app: INestApplication;
      if (platform === 'fastify') {
        app = await NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter({ bodyLimit: 1024 * 1024 }), { logger: false });
        await (app as NestFastifyApplication).register(fastifyTracing, options.tracing ?? {});
      } else {
        app = await NestFactory.create(module, { logger: false, bodyParser: false });
        app.use(dynamoTracing(options.tracing), express.json({ limit: '1mb' }));
      }
      if (options.errors === true) app.useGlobalFilters(dynamoTracingNestErrors());
      await app.listen(0, '127.0.0.1');
      return serving(app.getHttpServer() as never);
    },
  };
}
