"""What worker and client share: JSON lines out, and an end that can be asked for."""

import json
import os
import signal
import sys
import threading


def say(event, **fields):
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


def leave(status=0, **fields):
    """Says `stopped` and ends the process.

    Past the interpreter's own exit: in releases before 1.6 Dynamo's threads can crash during it.
    """
    say("stopped", **fields)
    sys.stderr.flush()
    os._exit(status)


def on_end(loop, end, line=None, interrupt=None):
    """Calls `line` with each line of standard input, `interrupt` on a signal, `end` once on either."""
    ended = False

    def once():
        nonlocal ended
        if not ended:
            ended = True
            end()

    def signalled():
        if interrupt is not None:
            interrupt()
        once()

    def watch():
        # A thread of its own on the descriptor itself: it must not hold up the interpreter's exit.
        pieces = []
        while chunk := os.read(0, 65536):
            pieces.append(chunk)
            if b"\n" not in chunk:
                continue
            *lines, rest = b"".join(pieces).split(b"\n")
            pieces = [rest]
            for text in lines:
                if line is not None and text.strip():
                    loop.call_soon_threadsafe(line, text)
        rest = b"".join(pieces)
        if line is not None and rest.strip():
            loop.call_soon_threadsafe(line, rest)
        loop.call_soon_threadsafe(once)

    for sig in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sig, signalled)
    threading.Thread(target=watch, daemon=True).start()
