"""A Dynamo worker whose every request says how it wants to be served.

    python worker.py [namespace.component.endpoint]        (or INTEROP_ENDPOINT)

Dynamo's own settings come from the environment (README.md lists them). Standard output carries one JSON
object a line: `ready` when the instance can be discovered, then what happens to each request, then `stopped`.
The process ends on SIGTERM, on SIGINT and when its standard input closes.

Keys of a request (all may be left out; anything that is not an object is echoed once):

    report     true    first item tells the ids, trace context and metadata that reached the handler
    n          3       number of items {"i", "value"} after it
    value      null    what every item carries back
    size       0       when set, value becomes a text of that many bytes
    delayMs    0       pause before each item
    items      null    a list to be yielded as it is, instead of the n items
    failAfter  null    raise after so many items; "start" raises before any item, "prologue" raises when
                       the stream is asked for, so that the failure travels in the prologue
    error      "ValueError"  class of what is raised: a Python builtin or a name in dynamo.llm.exceptions
    message    "asked to fail"
    exitAfter  null    end the process at once, without goodbye, after so many items; "prologue" ends it before
                       the prologue is sent
    hang       false   after the items wait until the caller stops or kills the request
    forward    null    {"endpoint", "request"}: call that endpoint with this request's context and yield its items
"""

import asyncio
import builtins
import importlib
import os
import sys

from dynamo.runtime import DistributedRuntime, dynamo_worker

from clients import Clients, settled
from lines import leave, on_end, say

DEFAULT_ENDPOINT = "interop.python.generate"
END_WITHIN_S = 5


def error_of(request):
    name = request.get("error", "ValueError")
    kind = getattr(builtins, name, None)
    if kind is None:
        kind = getattr(importlib.import_module("dynamo.llm.exceptions"), name)
    return kind(request.get("message", "asked to fail"))


def read(context, name):
    """An attribute of the context, called when it is a method; None in releases that lack it."""
    value = getattr(context, name, None)
    return value() if callable(value) else value


def report_of(context):
    metadata = getattr(context, "metadata", None)
    return {
        "id": context.id(),
        "traceId": read(context, "trace_id"),
        "spanId": read(context, "span_id"),
        "parentSpanId": read(context, "parent_span_id"),
        "traceHeaders": read(context, "trace_headers"),
        "metadata": metadata.copy() if metadata is not None else None,
    }


class Worker:
    def __init__(self, runtime):
        self.runtime = runtime
        self.clients = Clients(runtime)
        self.live = set()

    def end(self):
        # Dynamo waits for requests that still run, even with graceful_shutdown=False.
        for context in self.live:
            context.stop_generating()
        self.runtime.shutdown()
        asyncio.get_running_loop().call_later(END_WITHIN_S, lambda: leave(1, forced=True))

    def generate(self, request, context):
        # A plain function: what it raises never becomes a stream, so Dynamo reports it in the prologue.
        asked = request if isinstance(request, dict) else {}
        if asked.get("exitAfter") == "prologue":
            os._exit(9)
        if asked.get("failAfter") == "prologue":
            raise error_of(request)
        return self.stream(request, context)

    async def stream(self, request, context):
        say("request", id=context.id())
        sent = 0
        self.live.add(context)
        try:
            async for item in self.items(request, context):
                yield item
                sent += 1
            if context.is_stopped():  # true for a kill as well
                say("cancelled", id=context.id(), items=sent, signal="kill" if context.is_killed() else "stop")
            else:
                say("completed", id=context.id(), items=sent)
        except asyncio.CancelledError:
            say("cancelled", id=context.id(), items=sent, signal="task")
            raise
        except GeneratorExit:
            say("cancelled", id=context.id(), items=sent, signal="closed")
            raise
        except Exception as error:
            say("failed", id=context.id(), items=sent, error=type(error).__name__)
            raise
        finally:
            self.live.discard(context)

    async def items(self, request, context):
        if not isinstance(request, dict):
            yield request
            return
        fail_after = request.get("failAfter")
        exit_after = request.get("exitAfter")
        if fail_after == "start":
            raise error_of(request)
        if request.get("report", True):
            yield report_of(context)
        if request.get("forward") is not None:
            async for item in self.forward(request["forward"], context):
                yield item
            return
        delay = request.get("delayMs", 0) / 1000
        values = self.values(request)
        for i, value in enumerate(values):
            if fail_after == i:
                raise error_of(request)
            if exit_after == i:
                os._exit(9)
            if delay:
                await asyncio.sleep(delay)
            if context.is_stopped():
                return
            yield value
        if fail_after == len(values):
            raise error_of(request)
        if request.get("hang"):
            await context.async_killed_or_stopped()

    @staticmethod
    def values(request):
        if request.get("items") is not None:
            return request["items"]
        value = request.get("value")
        if request.get("size"):
            value = "x" * request["size"]
        return [{"i": i, "value": value} for i in range(request.get("n", 3))]

    async def forward(self, target, context):
        client = await self.clients.get(target["endpoint"])
        stream = await settled(lambda: client.round_robin(target.get("request"), annotated=False, context=context))
        async for item in stream:
            yield {"forwarded": item}


def instance_of(endpoint):
    number = endpoint.connection_id()
    return {"instanceId": str(number), "instanceHex": format(number, "x")}


@dynamo_worker()
async def main(runtime: DistributedRuntime):
    path = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("INTEROP_ENDPOINT", DEFAULT_ENDPOINT)
    endpoint = runtime.endpoint(path)
    worker = Worker(runtime)
    on_end(asyncio.get_running_loop(), worker.end)
    serving = asyncio.ensure_future(endpoint.serve_endpoint(worker.generate, graceful_shutdown=False))
    client = await endpoint.client()
    while not serving.done() and endpoint.connection_id() not in client.instance_ids():
        await asyncio.sleep(0.02)
    if not serving.done():
        say("ready", endpoint=path, pid=os.getpid(), **instance_of(endpoint))
    await serving


if __name__ == "__main__":
    asyncio.run(main())
    leave()
