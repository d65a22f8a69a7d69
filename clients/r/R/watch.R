# A run that is being written, until it is done.

#' Watch a run while it is sampled
#'
#' Shows how the run grows, with the worst figures that the server knows, and returns when it is done: when its writer
#' has said so, or when each chain has the draws that were announced. Interrupt it to stop watching; the run goes on.
#'
#' Nothing comes by itself: every `interval` seconds the server is asked anew, in two small requests, so that what is shown
#' may be as old as that.
#'
#' @param run A run of [mcb_run()].
#' @param interval Seconds between two looks at the server.
#' @param patience Seconds without a new draw after which it returns although nobody said that the run is done; `Inf`
#'   waits.
#' @param on_look A function that is called after each look with the data frame of [mcb_chains()], also to plot
#'   something; watching ends when it returns `FALSE`.
#' @param quiet `TRUE` shows nothing.
#' @return The data frame of [mcb_chains()], invisibly, with the attribute `state`: `done`, `live`, `silent`, or
#'   `deleted`.
#' @examplesIf nzchar(Sys.getenv("MCB_URL"))
#' client <- mcb_client()
#' run <- mcb_run(client, mcb_runs(client, limit = 1)$rid)
#' mcb_watch(run, patience = 1)
#' @export
mcb_watch <- function(run, interval = 2, patience = 600, on_look = NULL, quiet = FALSE) {
  check_run(run)
  check_amount(interval, "interval")
  check_amount(patience, "patience")
  check_flag(quiet, "quiet")
  show <- progress_line(quiet)
  chains <- NULL
  since <- now()
  repeat {
    about <- unless_deleted(ask(run, "GET", "/about", read = about_of))
    look <- unless_deleted(mcb_chains(run))
    if (is.null(about) || is.null(look)) {
      show(paste0(run$rid, ": deleted"), is_last = TRUE)
      return(invisible(structure(if (is.null(chains)) no_chains() else chains, state = "deleted")))
    }
    if (!identical(look$length, chains$length)) since <- now()
    chains <- look
    state <- about$state
    stops <- identical(state, "done") || now() - since >= patience || (!is.null(on_look) && isFALSE(on_look(chains)))
    show(watch_line(run$rid, chains, about), is_last = stops)
    if (stops) return(invisible(structure(chains, state = state)))
    Sys.sleep(interval)
  }
}

# NULL in place of an answer for a run that is there no more.
unless_deleted <- function(answer) {
  tryCatch(answer, mcb_run_not_found = function(e) NULL, mcb_run_replaced = function(e) NULL)
}

no_chains <- function() data.frame(chain = numeric(), length = numeric(), updated_at = time_of(character()))

# "radon: live, 3,200 of 8,000 draws in 4 chains, R-hat 1.02, 3 divergences"
watch_line <- function(rid, chains, about) {
  number <- function(x) format(x, big.mark = ",", trim = TRUE, scientific = FALSE)
  expected <- about$facts$expected
  each <- if (length(expected)) sum(unlist(expected[c("draws", "warmup")]))
  total <- if (!is.null(each) && nrow(chains)) paste(" of", number(each * nrow(chains)))
  worst <- about$diagnostics
  figures <- c(
    if (!is.null(worst$rhat)) sprintf("R-hat %.3f", worst$rhat),
    if (!is.null(worst$essBulk)) paste("least bulk ESS", number(round(worst$essBulk))),
    if (!is.null(worst$divergences)) paste(number(worst$divergences), "divergences")
  )
  count <- if (nrow(chains) == 1L) "1 chain" else paste(nrow(chains), "chains")
  paste(c(
    paste0(rid, ": ", about$state), paste0(number(sum(chains$length)), total, " draws in ", count),
    figures
  ), collapse = ", ")
}

# A function that shows a line in the place of the one before, where somebody sits before it, else each that is another
# one below it.
progress_line <- function(quiet) {
  before <- ""
  function(line, is_last) {
    if (quiet) return(invisible())
    if (interactive()) {
      cat("\r", formatC(line, width = -nchar(before)), if (is_last) "\n", sep = "")
    } else if (line != before) {
      cat(line, "\n", sep = "")
    }
    utils::flush.console()
    before <<- line
  }
}
