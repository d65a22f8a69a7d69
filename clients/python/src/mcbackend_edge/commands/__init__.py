"""The commands of the command line, a module each: `add_to` declares its options, `run` does it."""
