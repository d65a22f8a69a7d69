# Sampler stats under the names that Stan and bayesplot have for them.

# Names of Stan, each with ArviZ's name of the same.
STAN_NAMES <- c(
  accept_stat__ = "acceptance_rate", stepsize__ = "step_size", treedepth__ = "tree_depth", n_leapfrog__ = "n_steps",
  divergent__ = "diverging", energy__ = "energy", lp__ = "lp"
)

# ArviZ's names by those of samplers: PyMC and nutpie, NumPyro and BlackJAX, emcee.
ARVIZ_NAMES <- c(
  depth = "tree_depth", tree_size = "n_steps", mean_tree_accept = "acceptance_rate", model_logp = "lp", logp = "lp",
  num_steps = "n_steps", accept_prob = "acceptance_rate", is_divergent = "diverging",
  num_integration_steps = "n_steps", log_prob = "lp", STAN_NAMES
)

# Stan's name of a stat; NA where Stan has none. A sampler of a compound step has a number before its own.
stan_name <- function(name) {
  own <- sub("^sampler_[0-9]+__(?=.)", "", name, perl = TRUE)
  arviz <- if (own %in% names(ARVIZ_NAMES)) ARVIZ_NAMES[[own]] else own
  if (arviz %in% STAN_NAMES) names(STAN_NAMES)[STAN_NAMES == arviz] else NA_character_
}

# The stats of one number a draw that Stan has names for, by these names in Stan's order; of several with one name the
# one that has it already, else the first.
stan_stats <- function(run) {
  fit <- Filter(function(spec) is_numeric_rigid(spec) && prod(spec$shape) == 1, run$stats)
  stan <- vapply(names(fit), stan_name, "")
  found <- lapply(names(STAN_NAMES), function(name) {
    called <- fit[!is.na(stan) & stan == name]
    itself <- intersect(c(name, STAN_NAMES[[name]]), names(called))
    if (length(itself)) called[[itself[1]]] else if (length(called)) called[[1]]
  })
  Filter(Negate(is.null), stats::setNames(found, names(STAN_NAMES)))
}

# Matrices of a row for each draw and a column for each of `specs`, one for each chain of a moment.
stat_matrices <- function(run, moment, specs) {
  names <- vapply(specs, `[[`, "", "name")
  lapply(seq_len(nrow(moment)), function(k) {
    slice <- slice_of(Inf, moment$first[k], moment$first[k] + moment$draws[k])
    out <- matrix(NA_real_, moment$draws[k], length(specs), dimnames = list(NULL, names(specs)))
    read_pages(run, moment$chain[k], slice, stats = stats::setNames(specs, names), on_page = function(columns, at) {
      for (i in seq_along(specs)) out[at + seq_len(columns$count), i] <<- columns$stats[[names[i]]]$values
    })
    out
  })
}

no_stat <- function(run, what) {
  there <- if (length(run$stats)) paste(names(run$stats), collapse = ", ") else "none"
  fail("unknown_variable", "the run has no sampler stat ", what, "; it has ", there)
}

#' Diagnostics of samplers, for bayesplot
#'
#' Methods for bayesplot's generics [bayesplot::nuts_params()] and [bayesplot::log_posterior()], so that
#' `bayesplot::mcmc_nuts_divergence()`, `mcmc_parcoord()`, `mcmc_pairs()` and the like take a run of any sampler. The
#' stats of PyMC, nutpie, NumPyro, BlackJAX and emcee get Stan's names: `diverging` is `divergent__`.
#'
#' Warmup, chains of different lengths, and `chains` are as in [as_draws_array()][draws].
#'
#' @param object A run of [mcb_run()].
#' @param pars Some of Stan's names, `accept_stat__`, `stepsize__`, `treedepth__`, `n_leapfrog__`, `divergent__`,
#'   `energy__`; all that the run has by default.
#' @param inc_warmup `TRUE` reads warmup draws as well.
#' @param chains Numbers of chains; all by default.
#' @param ... Nothing else is taken.
#' @return A data frame: `Chain` and `Iteration`, which count from 1, `Parameter` (not of `log_posterior()`), and
#'   `Value`.
#' @name bayesplot
#' @examplesIf nzchar(Sys.getenv("MCB_URL")) && requireNamespace("bayesplot", quietly = TRUE)
#' client <- mcb_client()
#' run <- mcb_run(client, mcb_runs(client, limit = 1)$rid)
#' draws <- as_draws_array(run)
#' if ("diverging" %in% names(run$stats)) bayesplot::mcmc_parcoord(draws, np = bayesplot::nuts_params(run))
NULL

#' @rdname bayesplot
#' @exportS3Method bayesplot::nuts_params
nuts_params.mcb_run <- function(object, pars = NULL, inc_warmup = FALSE, chains = NULL, ...) {
  check_dots(...)
  specs <- stan_stats(object)
  specs <- specs[setdiff(names(specs), "lp__")]
  unknown <- setdiff(pars, names(specs))
  if (length(unknown)) unknown_variable(unknown[1], names(specs), "sampler stat of NUTS")
  if (length(pars)) specs <- specs[pars]
  if (!length(specs)) no_stat(object, "of NUTS")
  matrices <- stat_matrices(object, moment_of(object, chains, inc_warmup), specs)
  draws <- nrow(matrices[[1]])
  each <- draws * length(specs)
  data.frame(
    Chain = rep(seq_along(matrices), each = each),
    Iteration = rep(seq_len(draws), length.out = each * length(matrices)),
    Parameter = factor(rep(rep(names(specs), each = draws), length(matrices)), names(specs)),
    Value = unlist(lapply(matrices, as.vector))
  )
}

#' @rdname bayesplot
#' @exportS3Method bayesplot::log_posterior
log_posterior.mcb_run <- function(object, inc_warmup = FALSE, chains = NULL, ...) {
  check_dots(...)
  spec <- stan_stats(object)["lp__"]
  if (is.null(spec[[1]])) no_stat(object, "`lp`, nor `lp__`")
  matrices <- stat_matrices(object, moment_of(object, chains, inc_warmup), spec)
  draws <- nrow(matrices[[1]])
  data.frame(
    Chain = rep(seq_along(matrices), each = draws), Iteration = rep(seq_len(draws), length(matrices)),
    Value = unlist(lapply(matrices, as.vector))
  )
}
