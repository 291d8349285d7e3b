import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import express from 'express';
import request from 'supertest';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { idFields, onRecord, RECORDS, type LogEntry } from '../../src/logging/index.js';
import { dynamoTracing } from '../../src/middleware/express.js';
import { ATTRIBUTE_SETS, toAttributes, type AttributeSet } from '../../src/spans/index.js';
import { startSdk, type Sdk } from '../spans/support.js';
import { table } from './table.js';

/** What real requests show is compared with the tables: nothing may be there that they do not tell of. */
describe('what an app shows', () => {
  let sdk: Sdk;
  const entries: LogEntry[] = [];
  const stop = onRecord((entry) => entries.push(entry));
  const spans = new Map<AttributeSet, ReadableSpan[]>();

  beforeAll(async () => {
    sdk = startSdk();
    for (const attributes of ATTRIBUTE_SETS) {
      const before = sdk.ended().length;
      const app = express();
      app.use(dynamoTracing({ attributes, logger: false, includeQuery: true, env: { DYN_LOG: 'debug' } }));
      app.use(express.json());
      app.post('/v1/chat/completions', (req, res) => {
        const { fail = false } = req.body as { fail?: boolean };
        req.trace.workers({ prefill: 1n, decode: 2n ** 64n - 1n });
        req.trace.usage({ cachedTokens: 2 });
        if (fail) res.status(503).json({ error: { message: 'no worker', type: 'server_error', code: 503 } });
        else res.json({ id: 'chatcmpl-1', choices: [{ index: 0, finish_reason: 'stop', message: { content: 'hi' } }], usage: { prompt_tokens: 3, completion_tokens: 1 } });
      });
      app.get('/health', (_req, res) => void res.end('ok'));
      const body = { model: 'm', messages: [] };
      await request(app).post('/v1/chat/completions?a=b').set('x-request-id', 'order-42').send(body);
      await request(app).post('/v1/chat/completions').send({ ...body, fail: true });
      await request(app).get('/health');
      spans.set(attributes, sdk.ended().slice(before));
    }
  });
  afterAll(() => {
    stop();
    sdk.stop();
  });

  it.each(ATTRIBUTE_SETS)('has no attribute on http-request that docs/spans.md leaves out: set %s', (set) => {
    const rows = table('spans.md', 'attribute').filter(([, on]) => on!.startsWith('all') || on!.split(', ').includes('http-request'));
    const documented = new Set(rows.flatMap(([name]) => Object.keys(toAttributes(set, { [name!]: 'x?y' }))));
    const seen = new Set(spans.get(set)!.flatMap(({ attributes }) => Object.keys(attributes)));
    expect([...seen].filter((name) => !documented.has(name))).toEqual([]);
    expect(spans.get(set)).toHaveLength(3);
  });

  it('has every record of a request that ended well or failed, with fields of docs/records.md only', () => {
    expect(new Set(entries.map(({ message }) => message))).toEqual(new Set(['request received', 'http response sent', 'request completed']));
    for (const { message, fields, level } of entries) {
      const definition = RECORDS[message as keyof typeof RECORDS];
      expect(Object.keys(fields).filter((name) => !(definition.fields as readonly string[]).includes(name))).toEqual([]);
      expect([definition.level, definition.errorLevel, 'debug']).toContain(level);
    }
  });

  it('has the ids of docs/records.md on every record', () => {
    const documented = table('records.md', 'field', 'value').map(([field]) => field);
    for (const { scope } of entries) expect(documented).toEqual(expect.arrayContaining(Object.keys(idFields(scope))));
  });
});
