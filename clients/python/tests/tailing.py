"""Files as CmdStan writes them, of one parameter, and `Tail` on them."""

from __future__ import annotations

from pathlib import Path

from mcbackend_edge import Client
from mcbackend_edge.stan.tail import Tail

TIMING = "# \n#  Elapsed Time: 0.5 seconds (Warm-up)\n#   1 seconds (Sampling)\n#   1.5 seconds (Total)\n# \n"


def head(samples: int = 6, *, seed: int = 1, more: str = "") -> str:
    return (
        f"# method = sample (Default)\n#     num_samples = {samples}\n#     num_warmup = 0\n{more}"
        f"# random\n#   seed = {seed}\nlp__,accept_stat__,theta\n"
    )


def rows(chain: int, first: int, count: int) -> str:
    return "".join(f"-{chain}.0{number},0.9,{chain}.0{number}\n" for number in range(first, first + count))


def whole(chain: int, samples: int = 6, **options: int) -> str:
    return head(samples, **options) + rows(chain, 1, samples) + TIMING


def tailing(client: Client, rid: str | None, *paths: Path, **options: object) -> tuple[Tail, list[str]]:
    said: list[str] = []
    tail = Tail(client, list(paths), rid, said.append, **options)  # type: ignore[arg-type]
    return tail, said


def store(client: Client, rid: str | None, *paths: Path, **options: object) -> tuple[Tail, list[str]]:
    tail, said = tailing(client, rid, *paths, **options)
    tail.poll()
    tail.finish()
    return tail, said


def thetas(client: Client, rid: str, chain: int = 0) -> list[float]:
    values: list[float] = client.run(rid).chain(chain).get_draws("theta").tolist()
    return values
