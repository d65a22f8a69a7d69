# LOO of R's loo for one case from standard input, as JSON: the sizes, the efficiency of each observation, then all log-likelihoods.
suppressPackageStartupMessages(library(loo))
options(mc.cores = 1)
stopifnot(packageVersion("loo") == "2.10.1", packageVersion("posterior") == "1.7.1")

lines <- readLines(file("stdin"))
sizes <- as.integer(strsplit(lines[1], " ")[[1]])
numbers <- as.numeric(lines[-1])
efficiency <- numbers[seq_len(sizes[1])]
log_lik <- array(numbers[-seq_len(sizes[1])], dim = c(sizes[3], sizes[2], sizes[1]))

# Numbers as JSON has them, others as words.
word <- function(x) ifelse(is.finite(x), sprintf("%.17g", x), sprintf('"%s"', x))
member <- function(name, x, one = length(x) == 1) {
  values <- paste(word(x), collapse = ",")
  sprintf('"%s":%s', name, if (one) values else sprintf("[%s]", values))
}

result <- suppressWarnings(loo(log_lik, r_eff = efficiency))
pointwise <- result$pointwise
members <- c(
  member("elpd_loo", result$estimates["elpd_loo", "Estimate"]),
  member("se_elpd_loo", result$estimates["elpd_loo", "SE"]),
  member("p_loo", result$estimates["p_loo", "Estimate"]),
  member("se_p_loo", result$estimates["p_loo", "SE"]),
  member("looic", result$estimates["looic", "Estimate"]),
  member("se_looic", result$estimates["looic", "SE"]),
  member("mcse_elpd_loo", mcse_loo(result)),
  member("above", length(pareto_k_ids(result))),
  member("elpd", pointwise[, "elpd_loo"], FALSE),
  member("p", pointwise[, "p_loo"], FALSE),
  member("k", pointwise[, "influence_pareto_k"], FALSE),
  member("mcse", pointwise[, "mcse_elpd_loo"], FALSE),
  member("ess", result$diagnostics$n_eff, FALSE),
  member("relative_eff", relative_eff(exp(log_lik)), FALSE)
)
cat(sprintf("{%s}\n", paste(members, collapse = ",")))
