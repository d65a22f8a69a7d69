# The list of runs, page by page.

#' Runs of a server
#'
#' @param client A client of [mcb_client()].
#' @param q Part of the id or the name of runs, in any case.
#' @param tag Tags, all of which runs must have.
#' @param limit Number of runs at most, the latest first.
#' @param archived `FALSE` leaves archived runs out, `TRUE` lists them alone, `NA` lists all.
#' @param attributes A named list or vector of attributes that runs must have, such as `list(sampler = "NUTS")`.
#' @param since,until Times or days: runs that were created from `since` on, and before `until`.
#' @return A data frame with a row for each run: `rid`, `name`, `tags` (a list), `state` (`live`, `silent` or `done`),
#'   `variables`, `sample_stats`, `chains` and `draws` (numbers of them), `created_at`, `updated_at`, `archived`, and
#'   the worst figures that are known: `rhat`, `ess_bulk`, `ess_tail`, `divergences`, `bfmi`, `status`.
#' @examplesIf nzchar(Sys.getenv("MCB_URL"))
#' mcb_runs(mcb_client(), limit = 10)
#' @export
mcb_runs <- function(client, q = NULL, tag = NULL, limit = Inf, archived = FALSE, attributes = NULL, since = NULL,
                     until = NULL) {
  check_client(client)
  check_amount(limit, "limit")
  query <- list(
    q = q, tag = tag, archived = if (is.na(archived)) "any" else if (archived) "true",
    since = time_text(since), until = time_text(until)
  )
  if (length(attributes)) {
    values <- vapply(attributes, function(value) if (is_string(value)) value else in_query(value), "")
    query <- c(query, stats::setNames(as.list(values), paste0("attr.", curl::curl_escape(names(attributes)))))
  }
  runs <- list()
  cursor <- NULL
  while (length(runs) < limit) {
    page <- request(client, "GET", "/v1/runs",
      query = c(query, list(limit = min(1000, limit - length(runs)), cursor = cursor)),
      read = function(answer) members_of(json_of(answer), "runs")
    )
    runs <- c(runs, page$runs)
    cursor <- page$nextCursor
    if (is.null(cursor)) break
  }
  frame_of_runs(runs)
}

# A time as the server reads it; texts as they are.
time_text <- function(time) {
  if (inherits(time, "POSIXt")) return(format(time, "%Y-%m-%dT%H:%M:%OS3Z", tz = "UTC"))
  if (!is.null(time)) as.character(time)
}

frame_of_runs <- function(runs) {
  worst <- lapply(runs, `[[`, "diagnostics")
  out <- data.frame(
    rid = column_of(runs, "rid", ""), name = column_of(runs, "name", ""), state = column_of(runs, "state", ""),
    variables = column_of(runs, "variables", 0), sample_stats = column_of(runs, "sampleStats", 0),
    chains = column_of(runs, "chains", 0), draws = column_of(runs, "draws", 0),
    created_at = time_of(column_of(runs, "createdAt", "")), updated_at = time_of(column_of(runs, "updatedAt", "")),
    archived = column_of(runs, "archived", NA), rhat = column_of(worst, "rhat", 0),
    ess_bulk = column_of(worst, "essBulk", 0), ess_tail = column_of(worst, "essTail", 0),
    divergences = column_of(worst, "divergences", 0), bfmi = column_of(worst, "bfmi", 0),
    status = column_of(worst, "status", "")
  )
  out$tags <- lapply(runs, function(run) vapply(run$tags, identity, ""))
  out
}
