"""CSV files of the Stan family: read while they are written, and stored as the chains of one run.

`settings` understands the comments at the beginning and tells what comes, `columns` makes variables of columns, `rows`
turns text into numbers, `growing` notices a file that is overwritten, `adaptation` reads the comments behind;
`csv_file` joins them. `sources` tells which file is which chain, `registration` which files make up one run,
`chain_facts` what is told beside the draws; `tail` joins these.
"""
