"""`Pace`: the share of a machine's time that sending may take while a sampler adds draws."""

from __future__ import annotations

import time

# Sending takes a tenth of the time, at most. With a server on the same two cores, a model of 5,000 dimensions that
# PyMC samples in 19 s took 26 s when all was sent at once.
SHARE = 0.1
# Seconds of sending behind which the sampler has its turn, and the most that its turn takes.
ROUND, LONGEST_PAUSE = 0.05, 2.0


class Pace:
    """Times the rounds of the thread that sends.

    Parameters
    ----------
    is_server_here : True if the server runs on this machine, and so takes its time as long as an answer is waited for.
        Else only this thread's own work counts: waiting for a network costs a sampler nothing.

    Attributes
    ----------
    pause : seconds that pass before the next round while a sampler adds draws.
    """

    def __init__(self, is_server_here: bool) -> None:
        self.pause = 0.0
        self._clock = time.monotonic if is_server_here else time.thread_time
        self._began = 0.0

    def begin(self) -> None:
        """Begins a round; in the thread that sends, as all that follows."""
        self._began = self._clock()

    @property
    def is_over(self) -> bool:
        """True if the round has had its time."""
        return self._clock() - self._began >= ROUND

    def end(self) -> None:
        """Ends the round."""
        self.pause = min((self._clock() - self._began) * (1 / SHARE - 1), LONGEST_PAUSE)
