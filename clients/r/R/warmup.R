# Warmup among the draws of a chain: protocol.md, section 7.

FLAGS <- c("in_warmup", "tune", "warmup", "is_warmup")

# The sampler stat that tells which draws are warmup; NULL where a run has none, and so no warmup.
warmup_flag <- function(stats) {
  is_flag <- function(spec) !is.null(spec) && spec$dtype == "bool" && spec$is_rigid && length(spec$shape) == 0L
  for (name in FLAGS) if (is_flag(stats[[name]])) return(stats[[name]])
  for (spec in stats) {
    if (is_flag(spec) && any(endsWith(spec$name, paste0("__", FLAGS)))) return(spec)
  }
  NULL
}

# The length of the longest prefix of a chain, among its first `length` draws, in which the flag is true.
warmup_length <- function(run, chain, length) {
  flag <- warmup_flag(run$stats)
  if (is.null(flag)) return(0)
  warmup <- 0
  is_over <- FALSE
  stats <- stats::setNames(list(flag), flag$name)
  while (!is_over && warmup < length) {
    part <- slice_of(length, warmup, min(length, warmup + 2^20))
    read_pages(run, chain, part, stats = stats, on_page = function(columns, at) {
      other <- which(!columns$stats[[1]]$values)
      if (!is_over) warmup <<- warmup + if (length(other)) other[1] - 1 else columns$count
      if (length(other)) is_over <<- TRUE
    })
  }
  warmup
}
