# Time of as_draws_array() for 64 MB of draws. Usage: MCB_URL=http://127.0.0.1:8787 Rscript clients/r/benchmarks/read.R
arguments <- commandArgs(trailingOnly = TRUE)
if (length(arguments)) {
  cat("Usage: MCB_URL=http://127.0.0.1:8787 Rscript clients/r/benchmarks/read.R\n\n",
    "Writes a run of 4 chains, 2,000 draws of 1,000 numbers each, to the server; reads it five times; deletes it.\n",
    "The goal is 3 s.\n",
    sep = ""
  )
  quit(status = if (identical(arguments, "--help")) 0L else 2L)
}
suppressPackageStartupMessages(library(mcbackend.edge))

client <- mcb_client()
run <- mcb_init_run(client, paste0("r-benchmark-", Sys.getpid()), list(theta = c(40, 25)))
draws <- array(stats::rnorm(2000 * 1000), c(2000, 40, 25))
for (chain in 0:3) mcb_append(run, chain, list(theta = draws))

seconds <- vapply(1:5, function(i) {
  gc(FALSE)
  system.time(read <<- as_draws_array(run))[["elapsed"]]
}, 0)
stopifnot(identical(as.vector(unclass(read)[, 3, ]), as.vector(draws)))
memory <- sum(gc()[, 6])
mcb_delete_run(run)
cat(sprintf(
  "as_draws_array of %.0f MB: median %.2f s (%s), at most %.0f MB of R's memory\n",
  utils::object.size(read) / 1e6, stats::median(seconds), paste(sprintf("%.2f", seconds), collapse = ", "), memory
))
