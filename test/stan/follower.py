"""Stores files of Stan with the package's follower: arguments are the server, and RID=FILE[=WARMUP] for each run."""

import sys
from pathlib import Path

from mcbackend_edge.client import Client
from mcbackend_edge.stan.tail import Tail

with Client(sys.argv[1]) as client:
    for text in sys.argv[2:]:
        rid, file, *warmup = text.split("=")
        tail = Tail(
            client, [Path(file)], rid, lambda said: None, warmup=int(warmup[0]) if warmup else None, capture=False
        )
        tail.poll()
        tail.finish()
        print(rid, len(tail.errors), flush=True)
