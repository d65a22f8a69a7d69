"""Parts of `EmceeBackend`: an ensemble's place in a run, its writer, its reader, and the random generator's state."""
