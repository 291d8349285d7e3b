"""One Dynamo client per endpoint, and a first call that waits until the client can route."""

import asyncio

SETTLE_S = 2
NO_WORKERS = "No workers available"


class Clients:
    def __init__(self, runtime):
        self.runtime = runtime
        self.clients = {}

    async def get(self, path):
        if path not in self.clients:
            self.clients[path] = asyncio.ensure_future(self.runtime.endpoint(path).client())
        client = await self.clients[path]
        await client.wait_for_instances()
        return client


async def settled(send):
    """Awaits send() again while the client knows an instance but cannot route to it yet.

    Seen in Dynamo 1.4.2 and 1.5.0: wait_for_instances() may return shortly before the routing table has the instance.
    """
    deadline = asyncio.get_running_loop().time() + SETTLE_S
    while True:
        try:
            return await send()
        except Exception as error:
            if NO_WORKERS not in str(error) or asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(0.02)
