# Figures of each scalar, as the server computes them.

# Columns of a summary, those that come first where none are named.
FIGURES <- c("mean", "median", "sd", "lb", "ub", "mcse_mean", "mcse_sd", "rhat", "ess_bulk", "ess_tail")

#' Summary of a run, computed by the server
#'
#' Means, quantiles, R-hat and effective sample sizes of each scalar, of all chains without warmup. The draws stay where
#' they are: this is fast for runs of any size, also while they are sampled. The numbers are those of posterior's
#' functions of these names.
#'
#' @param run,object A run of [mcb_run()].
#' @param variables Names of variables; all of numbers of fixed shape by default.
#' @param stats Names of sampler stats.
#' @param chains Numbers of chains, as [mcb_chains()] tells them; all that are long enough by default.
#' @param columns Some of `mean`, `median`, `sd`, `mad`, `lb`, `ub`, `mcse_mean`, `mcse_sd`, `rhat`, `ess_bulk`,
#'   `ess_tail`, `pareto_khat`. `lb` and `ub` are the bounds of the interval.
#' @param warmup `"exclude"`, `"include"` or `"only"`.
#' @param convention `"posterior"` or `"arviz"`: the package whose numbers these are.
#' @param ci_kind,ci_prob `"eti"` (equal tails) or `"hdi"` (highest density), and the probability of the interval.
#' @param sort A column to sort by, with `-` before it for the greatest first: `"-rhat"`.
#' @param limit Rows at most.
#' @param wait Seconds to wait until all figures are computed. Those that are not are `NA`, with a warning.
#' @param ... Arguments of `mcb_summary()`.
#' @return A data frame with a row for each scalar: `variable`, named as in draws (`theta[1,2]`), `label` with labels of
#'   coordinates, and the figures. `NA` stands for figures that are no number; the column `reasons`, a list, says why:
#'   `constant`, `too_few`, `nan`, `infinite` or `pending`. Attributes are `draws` (of each chain), `chains`, `left_out`
#'   (data frames), `ci`, and `complete`.
#' @examplesIf nzchar(Sys.getenv("MCB_URL"))
#' client <- mcb_client()
#' run <- mcb_run(client, mcb_runs(client, limit = 1)$rid)
#' mcb_summary(run, sort = "-rhat", limit = 10)
#' @export
mcb_summary <- function(run, variables = NULL, stats = NULL, chains = NULL, columns = FIGURES, warmup = "exclude",
                        convention = "posterior", ci_kind = "eti", ci_prob = 0.89, sort = NULL, limit = Inf,
                        wait = 60) {
  check_run(run)
  check_amount(limit, "limit", least = 1)
  check_amount(wait, "wait")
  query <- list(
    var = variables, stat = stats, chain = chains, columns = paste(columns, collapse = ","), warmup = warmup,
    convention = convention, ci_kind = ci_kind, ci_prob = ci_prob, sort = sort
  )
  rows <- list()
  cursor <- NULL
  deadline <- now() + wait
  repeat {
    place <- list(limit = min(10000, limit - length(rows)), cursor = cursor)
    page <- members_of(until_complete(run, "/summary", c(query, place), deadline), "rows", "columns")
    if (is.null(cursor)) first <- page
    rows <- c(rows, page$rows)
    cursor <- page$nextCursor
    if (is.null(cursor) || length(rows) >= limit) break
  }
  frame_of_summary(rows, first, columns)
}

#' @rdname mcb_summary
#' @export
summary.mcb_run <- function(object, ...) mcb_summary(object, ...)

# An answer that the server computes, asked for again until it is complete or the time is over.
until_complete <- function(run, path, query, deadline) {
  repeat {
    left <- max(0, deadline - now())
    answer <- ask(run, "GET", path,
      query = query, headers = c(Prefer = paste0("wait=", ceiling(min(30, left)))), read = json_of
    )
    if (!isFALSE(answer$complete) || now() >= deadline) return(answer)
  }
}

frame_of_summary <- function(rows, page, columns) {
  index <- lapply(rows, function(row) vapply(row$index, as.numeric, 0) + 1)
  variables <- column_of(rows, "variable", "")
  named <- function(i) if (length(index[[i]])) element_name(variables[i], index[[i]]) else variables[i]
  out <- data.frame(variable = vapply(seq_along(rows), named, ""), label = column_of(rows, "label", ""))
  for (figure in columns) out[[figure]] <- column_of(rows, figure, 0)
  reasons <- lapply(rows, function(row) vapply(row$reasons, identity, ""))
  if (any(lengths(reasons))) out$reasons <- reasons
  if (isFALSE(page$complete) || any(unlist(reasons) == "pending")) {
    warning("some figures were not computed in time; a greater `wait` waits for them", call. = FALSE)
  }
  attr(out, "complete") <- !isFALSE(page$complete)
  attr(out, "draws") <- page$draws
  attr(out, "ci") <- page$ci
  attr(out, "chains") <- data.frame(
    chain = column_of(page$chains, "chain", 0), draws = column_of(page$chains, "draws", 0),
    warmup = column_of(page$chains, "warmup", 0)
  )
  attr(out, "left_out") <- data.frame(
    chain = column_of(page$leftOut, "chain", 0), variable = column_of(page$leftOut, "variable", ""),
    reason = column_of(page$leftOut, "reason", "")
  )
  out
}
