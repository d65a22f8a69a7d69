# Values of R's posterior for cases from standard input: a line with a name, the number of chains and that of draws, and one with all draws. Each
# case is a line of JSON.
suppressPackageStartupMessages(library(posterior))
stopifnot(packageVersion("posterior") == "1.7.1", packageVersion("matrixStats") == "0.63.0")
# A check, now and then, that ends with an error where rounding matters.
options(matrixStats.vars.formula.freq = 0)

khat <- function(x, ...) {
  value <- pareto_khat(x, ...)
  if (is.list(value)) value$khat else value
}
z_scores <- function(x) posterior:::z_scale(posterior:::.split_chains(x))

statistics <- list(
  rhat = rhat,
  rhat_split = rhat_basic,
  rhat_id = function(x) rhat_basic(x, split = FALSE),
  rhat_folded = function(x) posterior:::.rhat(z_scores(posterior:::fold_draws(x))),
  rhat_z = function(x) posterior:::.rhat(z_scores(x)),
  ess_bulk = ess_bulk,
  ess_tail = ess_tail,
  ess_mean = ess_mean,
  ess_sd = ess_sd,
  ess_median = ess_median,
  ess_id = function(x) ess_basic(x, split = FALSE),
  ess_q10 = function(x) ess_quantile(x, 0.1),
  mcse_mean = mcse_mean,
  mcse_sd = mcse_sd,
  mcse_median = mcse_median,
  mcse_q05 = function(x) mcse_quantile(x, 0.05),
  mcse_q95 = function(x) mcse_quantile(x, 0.95),
  khat = khat,
  khat_right = function(x) khat(x, tail = "right"),
  khat_left = function(x) khat(x, tail = "left"),
  q05 = function(x) quantile(x, 0.05, names = FALSE),
  q95 = function(x) quantile(x, 0.95, names = FALSE),
  mean = mean,
  sd = function(x) sd(as.vector(x)),
  median = median,
  mad = function(x) mad(as.vector(x))
)

con <- file("stdin", "r")
repeat {
  head <- readLines(con, n = 1)
  if (length(head) == 0) break
  sizes <- as.integer(strsplit(head, " ")[[1]][-1])
  x <- matrix(as.numeric(strsplit(readLines(con, n = 1), " ")[[1]]), nrow = sizes[2], ncol = sizes[1])
  own <- statistics
  if (sizes[1] %% 2 == 0) {
    own$rhat_nested <- function(x) rhat_nested(x, superchain_ids = (seq_len(ncol(x)) - 1) %/% 2)
  }
  values <- sapply(own, function(f) {
    value <- suppressWarnings(tryCatch(f(x), error = function(e) "error"))
    if (is.numeric(value) && is.finite(value)) sprintf("%.17g", value) else sprintf('"%s"', value)
  })
  cat(sprintf("{%s}\n", paste(sprintf('"%s":%s', names(values), values), collapse = ",")))
}
