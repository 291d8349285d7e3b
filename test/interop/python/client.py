"""A Dynamo client told by JSON lines what to ask.

    python client.py ['{"endpoint": ..., "request": ...}' ...]

Commands come from the arguments and then, one a line, from standard input; they run side by side. Standard
output carries one JSON object a line, each with the command's `tag`. When standard input has closed the process
ends as soon as the commands it was given have ended; SIGTERM and SIGINT end it at once.

Keys of a command:

    endpoint    namespace.component.endpoint
    request     any JSON value
    tag         "1", "2", ...   told again in every line about this command
    id          request id of the context; without `id`, `metadata` and a way to cancel no context is made
    metadata    {} texts by name, sent along
    mode        "round_robin"   or "random", or "direct" with `instance`
    instance    instance id, as decimal text
    instances   null   wait until so many instances are known
    annotated   false  true tells data, event, comments, id and error state of each item
    stopAfter   null   stop the request after so many items (0: 50 ms after it was sent) and read on
    dropAfter   null   leave the stream after so many items
    timeoutMs   30000  give up

Lines: `ready`, `instances` {ids}, `item` {index, data | annotated}, `error` {type, message, stage}, `end` {items, outcome}.
"""

import asyncio
import json
import sys

from dynamo.runtime import Context, DistributedRuntime, dynamo_worker

from clients import Clients, settled
from lines import leave, on_end, say

CONTEXT_KEYS = ("id", "metadata", "stopAfter")


def context_of(command):
    if not any(command.get(key) is not None for key in CONTEXT_KEYS):
        return None
    if command.get("metadata"):
        return Context(command.get("id"), command["metadata"])
    return Context(command.get("id"))


def told(item, annotated):
    if not annotated:
        return {"data": item}
    return {
        "annotated": {
            "data": item.data(),
            "event": item.event(),
            "comments": item.comments(),
            "id": item.id(),
            "isError": item.is_error(),
        }
    }


class Call:
    def __init__(self, clients, command, tag):
        self.clients = clients
        self.command = command
        self.tag = command.get("tag", tag)
        self.annotated = bool(command.get("annotated", False))
        self.context = None
        self.items = 0
        self.stage = "context"

    def say(self, event, **fields):
        say(event, tag=self.tag, **fields)

    async def run(self):
        try:
            outcome = await asyncio.wait_for(self.ask(), self.command.get("timeoutMs", 30000) / 1000)
        except asyncio.TimeoutError:
            outcome = "timeout"
        except Exception as error:
            self.say("error", type=type(error).__name__, message=str(error), stage=self.stage)
            outcome = "error"
        self.say("end", items=self.items, outcome=outcome)

    async def ask(self):
        self.context = context_of(self.command)
        self.stage = "discover"
        client = await self.clients.get(self.command["endpoint"])
        while len(client.instance_ids()) < self.command.get("instances", 1):
            await asyncio.sleep(0.02)
        self.say("instances", ids=[str(number) for number in client.instance_ids()])
        self.stage = "request"
        if self.command.get("stopAfter") == 0:
            asyncio.get_running_loop().call_later(0.05, self.context.stop_generating)
        stream = await settled(lambda: self.send(client))
        self.stage = "stream"
        return await self.read(stream)

    async def send(self, client):
        request = self.command.get("request")
        options = {"annotated": self.annotated}
        if self.context is not None:
            options["context"] = self.context
        mode = self.command.get("mode", "round_robin")
        if mode == "direct":
            return await client.direct(request, int(self.command["instance"]), **options)
        return await getattr(client, mode)(request, **options)

    async def read(self, stream):
        if self.command.get("dropAfter") == 0:
            return "dropped"
        async for item in stream:
            self.say("item", index=self.items, **told(item, self.annotated))
            self.items += 1
            if self.items == self.command.get("stopAfter"):
                self.context.stop_generating()
            if self.items == self.command.get("dropAfter"):
                return "dropped"
        return "complete"


@dynamo_worker()
async def main(runtime: DistributedRuntime):
    loop = asyncio.get_running_loop()
    closed = asyncio.Event()
    interrupted = asyncio.Event()
    clients = Clients(runtime)
    calls = set()
    count = 0

    def start(text):
        nonlocal count
        count += 1
        call = asyncio.ensure_future(Call(clients, json.loads(text), str(count)).run())
        calls.add(call)
        call.add_done_callback(calls.discard)

    on_end(loop, end=closed.set, line=start, interrupt=interrupted.set)
    for text in sys.argv[1:]:
        start(text)
    say("ready")
    await closed.wait()
    stop = asyncio.ensure_future(interrupted.wait())
    while calls and not stop.done():
        await asyncio.wait({stop, *calls}, return_when=asyncio.FIRST_COMPLETED)
    for task in (stop, *calls):
        task.cancel()
    runtime.shutdown()


if __name__ == "__main__":
    asyncio.run(main())
    leave()
