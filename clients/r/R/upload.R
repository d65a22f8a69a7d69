# Whole fits as runs: any object that draws can be taken from, block by block.

#' Upload a fit
#'
#' Stores a fit as a run: its draws with warmup, if the fit has it, sampler stats, settings and, as facts, of each chain
#' seed, step size, inverse metric and times. Arrays are made of names such as `theta[1,2]`.
#' Names whose indices are labels, such as `r_group[a,Intercept]` of brms, or leave holes stay scalars of their own.
#'
#' The same fit under the same `rid` changes nothing; the server compares every draw, so that another fit under that
#' `rid` is an error: `mcb_run_conflict` or `mcb_draw_conflict`. An upload that was interrupted goes on when it is called
#' again with its `rid`.
#'
#' @param client A server, of [mcb_client()].
#' @param fit One of
#'   - a `stanfit` of rstan, sampled or variational, or a `brmsfit` of brms;
#'   - draws of posterior in any of its formats, among them those of cmdstanr's `fit$draws()`;
#'   - an `mcmc` or `mcmc.list` of coda;
#'   - an array of dimensions `[iteration, chain, variable]`, a matrix or a data frame of one chain, or a data frame with the
#'     columns `.chain` and `.iteration`.
#' @param rid Id of the run; made where it is left out.
#' @param ... The arguments below that the method of `fit` does not have itself: all methods take them.
#' @param stats Sampler stats of the same draws, in one of posterior's formats, such as cmdstanr's
#'   `fit$sampler_diagnostics()`. Variables of `fit` that end in `__` are sampler stats as well.
#' @param warmup Number of draws of each chain, from its beginning, that are warmup.
#' @param coords,dims Labels and names of dimensions, as in [mcb_init_run()].
#' @param data,observed Data of the model, as in [mcb_init_run()].
#' @param attributes Attributes of the run, beside those that the fit tells.
#' @param name,tags A name and tags for people, as in [mcb_set_about()].
#' @param progress `TRUE` shows a bar, and tells the run's name at the end.
#' @return The run, as [mcb_run()] gives it.
#' @examplesIf nzchar(Sys.getenv("MCB_URL"))
#' run <- mcb_upload(mcb_client(), posterior::example_draws("eight_schools"), name = "Eight schools")
#' as_draws_array(run)
#' mcb_delete_run(run)
#' @export
mcb_upload <- function(client, fit, rid = NULL, ...) {
  check_client(client)
  UseMethod("mcb_upload", fit)
}

#' @export
mcb_upload.default <- function(client, fit, rid = NULL, ...) {
  fail("invalid_argument", "draws cannot be taken from ", class(fit)[1L],
    ": a stanfit, a brmsfit, draws of posterior, mcmc of coda, arrays and data frames can be uploaded")
}

# Uploads a source: list(variables, stats, attributes, facts, chains), of which each chain is a list(draws, block), and
# block(from, to) a list(draws, stats) of its draws `from` to `to`, from 1.
upload <- function(client, source, rid, coords = list(), dims = list(), data = list(), observed = character(),
                   attributes = list(), name = NULL, tags = NULL, progress = interactive()) {
  check_flag(progress, "progress")
  attributes <- check_named(as.list(attributes), "attributes")
  run <- tryCatch(
    mcb_init_run(client, rid,
      variables = source$variables, sample_stats = source$stats, coords = coords, dims = dims, data = data,
      observed = observed, attributes = c(source$attributes[setdiff(names(source$attributes), names(attributes))], attributes)
    ),
    mcb_run_conflict = function(e) stop(of_another_fit(e, rid))
  )
  send_chains(run, source, progress)
  set_about(run, c(
    if (length(source$facts)) list(facts = source$facts), if (!is.null(name)) list(name = name),
    if (!is.null(tags)) list(tags = I(as.character(tags)))
  ))
  if (progress) {
    message("run ", run$rid, " at ", client$url, " has ", length(source$chains), " chains of ", source$chains[[1L]]$draws, " draws")
  }
  run
}

# Uploads all chains. A message tells how it goes on when that is cut short; not after a conflict, which stays.
send_chains <- function(run, source, progress) {
  is_over <- FALSE
  on.exit(if (!is_over) message("the upload is not complete: mcb_upload() with rid = \"", run$rid, "\" goes on with it"))
  bar <- progress_bar(sum(vapply(source$chains, `[[`, 0, "draws")), progress)
  tryCatch(
    for (i in seq_along(source$chains)) upload_chain(run, i - 1, source$chains[[i]], source, bar$add),
    mcb_draw_conflict = function(e) {
      is_over <<- TRUE
      stop(of_another_fit(e, run$rid))
    }
  )
  bar$close()
  is_over <- TRUE
}

# Every draw is sent, also where the chain has it: the server compares, and another fit is noticed.
upload_chain <- function(run, chain, given, source, on_piece) {
  bytes <- sum(vapply(c(source$variables, source$stats), function(v) prod(v$shape) * SIZES[[v$dtype]], 0))
  most <- max(1, min(MOST_DRAWS, MOST_BYTES %/% max(1, bytes)))
  length <- next_index(run, chain)
  if (length > given$draws) {
    fail("draw_conflict", "chain ", chain, " has ", length, " draws, and the fit ", given$draws, fields = list(length = length))
  }
  for (from in seq(1, by = most, length.out = ceiling(given$draws / most))) {
    part <- given$block(from, min(given$draws, from + most - 1))
    mcb_append(run, chain, part$draws, part$stats, start = from - 1)
    on_piece(min(most, given$draws - from + 1))
  }
}

# A conflict as the caller of an upload sees it.
of_another_fit <- function(conflict, rid) {
  conflict$message <- paste0("the run ", rid, " is of another fit: ", conditionMessage(conflict), "; give another `rid`, or delete that run")
  conflict
}

progress_bar <- function(total, is_shown) {
  if (!is_shown || total == 0) return(list(add = function(draws) NULL, close = function() NULL))
  bar <- utils::txtProgressBar(max = total, style = 3, file = stderr())
  done <- 0
  list(
    add = function(draws) {
      done <<- done + draws
      utils::setTxtProgressBar(bar, done)
    },
    close = function() close(bar)
  )
}
