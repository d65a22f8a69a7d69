"""Finished results of any library as runs: `datasets` finds their groups, `layout` the place of each variable."""
