# Checks of a run: findings of the server that tell if it can be trusted, and what to do.

#' Checks of a run, computed by the server
#'
#' Eight checks that say if a run can be trusted: `progress`, `finite`, `stuck`, `divergences`, `rhat`, `ess`, `bfmi`
#' and `treedepth`. Each finding tells its numbers, the source of its threshold, and what to do.
#'
#' @param run A run of [mcb_run()].
#' @param wait Seconds to wait until all is computed.
#' @return A data frame of class `mcb_checks`, with a row for each check: `check`, `status` (`ok`, `warn`, `fail` or
#'   `unknown`), `message`, `advice` (empty where there is nothing to do), and the lists `chains` and `worst`: data
#'   frames of the chains and of the scalars that are concerned, which say their values. Attributes are `rid`, `status`
#'   (the worst of all), `draws` of each chain, and `complete`.
#' @examplesIf nzchar(Sys.getenv("MCB_URL"))
#' client <- mcb_client()
#' checks <- mcb_checks(mcb_run(client, mcb_runs(client, limit = 1)$rid))
#' checks
#' attr(checks, "status")
#' @export
mcb_checks <- function(run, wait = 60) {
  check_run(run)
  check_amount(wait, "wait")
  answer <- members_of(until_complete(run, "/checks", NULL, now() + wait), "checks", "status", "draws")
  out <- data.frame(
    check = column_of(answer$checks, "check", ""), status = column_of(answer$checks, "status", ""),
    message = column_of(answer$checks, "message", ""), advice = column_of(answer$checks, "advice", "")
  )
  out$chains <- lapply(answer$checks, function(check) {
    data.frame(chain = column_of(check$chains, "chain", 0), value = column_of(check$chains, "value", 0))
  })
  # A value that is infinite has no form in JSON.
  out$worst <- lapply(answer$checks, function(check) {
    values <- column_of(check$worst, "value", 0)
    values[is.na(values)] <- Inf
    data.frame(label = column_of(check$worst, "label", ""), value = values, at = column_of(check$worst, "at", ""))
  })
  structure(out,
    class = c("mcb_checks", "data.frame"), rid = run$rid, status = answer$status, draws = answer$draws,
    complete = !isFALSE(answer$complete)
  )
}

#' @export
print.mcb_checks <- function(x, ...) {
  # A part of the rows or columns is printed as any data frame.
  if (!all(c("check", "status", "message", "advice") %in% names(x)) || is.null(attr(x, "status"))) return(NextMethod())
  draws <- format(attr(x, "draws"), big.mark = ",")
  cat(attr(x, "rid"), ": ", attr(x, "status"), ", ", draws, " draws a chain\n", sep = "")
  if (!attr(x, "complete")) cat("not all is computed yet: a greater `wait` waits for it\n")
  for (i in seq_len(nrow(x))) {
    head <- sprintf("%-8s%-13s", x$status[i], x$check[i])
    width <- min(120L, max(60L, getOption("width")))
    cat(strwrap(x$message[i], width, initial = head, prefix = strrep(" ", 21L)), sep = "\n")
    if (nzchar(x$advice[i])) cat(strwrap(x$advice[i], width, prefix = strrep(" ", 21L)), sep = "\n")
  }
  invisible(x)
}
