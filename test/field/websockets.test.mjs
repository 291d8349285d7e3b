import assert from 'node:assert/strict';
import { once } from 'node:events';
import { before, describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { visitOf } from './support/neighbour.mjs';

/** A conversation over a WebSocket that ends in one of the ways in which they end. */
const conversation = (end) => ({
  async send(url, ids) {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/realtime?model=tiny`, { headers: ids });
    const closed = once(socket, 'close');
    await once(socket, 'open');
    socket.send('hello');
    const [heard] = await once(socket, 'message');
    end(socket);
    const [code] = await closed;
    return { status: 101, headers: new Headers(), text: String(heard), code };
  },
});
const ENDS = [
  ['closed by the client', 1000, (socket) => socket.close(1000)],
  ['cut by the client', 1006, (socket) => socket.terminate()],
  ['closed by a server that has failed', 1011, (socket) => socket.send('fail')],
];

for (const [title, app] of [['a server that hands upgrades to an Express app', 'express-upgrade.cjs'], ['express-ws', 'express-ws.cjs'], ['@fastify/websocket', 'fastify-websocket.cjs']]) {
  describe(`WebSockets: ${title}`, () => {
    let visit;
    before(async () => {
      visit = await visitOf({ app, telemetry: 'chosen.cjs', env: { INSTRUMENTATIONS: '' }, calls: ENDS.map(([, , end]) => conversation(end)) });
    }, { timeout: 120_000 });

    it('nothing crashes, and every conversation is what it would be without us', () => {
      assert.equal(visit.app.crash, undefined, visit.app.noise);
      assert.equal(visit.app.noise, '');
      assert.deepEqual(visit.calls.map(({ answer, error }) => error ?? [answer.text, answer.code]), ENDS.map(([, code]) => ['heard hello', code]));
    });
    ENDS.forEach(([how, code], i) => it(`one \`request completed\` for a socket ${how}, the last of its records: ${code === 1000 ? 'a success without a warning' : 'no success'}`, () => {
      const { records, completed, traceId } = visit.calls[i];
      assert.equal(completed.length, 1);
      assert.equal(records.at(-1), completed[0]);
      assert.equal(completed[0].trace_id, traceId);
      if (code !== 1000) {
        assert.notEqual(completed[0].status, 'success');
        return;
      }
      assert.equal(completed[0].status, 'success');
      assert.deepEqual(records.filter(({ level }) => level !== 'INFO'), []);
    }));
    it('the records name the path that the client asked for, and the status 101', () => {
      visit.calls.forEach(({ records }) => {
        assert.deepEqual([...new Set(records.map(({ uri }) => uri))], ['/v1/realtime']);
        assert.deepEqual(records.filter(({ message }) => message === 'http response sent').map(({ status }) => Number(status)), [101]);
      });
    });
    it('the span of each has the route, and the status 101', () => {
      assert.deepEqual(visit.calls.map(({ ours }) => ours.map(({ attributes }) => [attributes['http.route'], attributes['url.path'], attributes['http.response.status_code']])),
        ENDS.map(() => [['/v1/realtime', '/v1/realtime', 101]]));
    });
    it('the endpoint is known', () => {
      assert.deepEqual(visit.calls.map(({ completed }) => completed[0]?.endpoint), ENDS.map(() => 'realtime'));
    });
  });
}
