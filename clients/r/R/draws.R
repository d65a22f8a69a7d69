# Draws in the formats of the posterior package.

#' Draws of a run, as posterior has them
#'
#' Reads the draws of all chains. Elements are named as Stan names them, `theta[1,2]`, with indices from 1, the first
#' fastest.
#'
#' While samplers write the run, the lengths of one moment count for all chains. Chains that have no draws, or less than
#' half the median length, are left out, as in the server's summaries, and the others are cut to the shortest of them.
#' Both come with a warning.
#'
#' A draw is warmup by the rule of the protocol: the longest prefix of the chain for which the run's warmup flag, a
#' sampler stat such as `in_warmup` or `tune`, is true.
#'
#' Integers and flags become doubles; a warning of class `mcb_rounded` tells of integers of 2^53 or more. Strings, and
#' variables whose shape varies, have no place in these formats: [mcb_draws()] reads them.
#'
#' @param x A run of [mcb_run()].
#' @param variables Names of variables (`"theta"`) and of elements (`"theta[1,2]"`), in the order of the result. All of
#'   numbers of fixed shape by default. Only what is named is read.
#' @param inc_warmup `TRUE` reads warmup draws as well.
#' @param chains Numbers of chains, as [mcb_chains()] tells them; all by default. In the result chains are counted
#'   from 1.
#' @param ... Nothing else is taken.
#' @return An object of the posterior package.
#' @name draws
#' @examplesIf nzchar(Sys.getenv("MCB_URL"))
#' client <- mcb_client()
#' run <- mcb_run(client, mcb_runs(client, limit = 1)$rid)
#' as_draws_array(run)
#' posterior::summarise_draws(as_draws_df(run, variables = names(run$variables)[1]))
NULL

#' @rdname draws
#' @export
as_draws_array.mcb_run <- function(x, variables = NULL, inc_warmup = FALSE, chains = NULL, ...) {
  check_dots(...)
  parts <- select_parts(x, variables)
  moment <- moment_of(x, chains, inc_warmup)
  names <- unlist(lapply(parts, `[[`, "names"), use.names = FALSE)
  draws <- moment$draws[1]
  out <- array(NA_real_, c(draws, nrow(moment), length(names)))
  for (k in seq_len(nrow(moment))) {
    slice <- slice_of(Inf, moment$first[k], moment$first[k] + draws)
    for (group in group_parts(parts)) {
      read_group(x, moment$chain[k], slice, group, function(rows, columns, values) {
        out[rows, k, columns] <<- values
      })
    }
  }
  dimnames(out) <- list(NULL, NULL, names)
  posterior::as_draws_array(out)
}

# Calls fill(rows, columns, values) with matrices of a row for each draw.
read_group <- function(run, chain, slice, group, fill) {
  specs <- lapply(group, `[[`, "spec")
  names(specs) <- vapply(specs, `[[`, "", "name")
  # Elements come in C order: columns of the result by that.
  places <- lapply(group, function(part) {
    is_whole <- is.null(part$elements) && length(part$spec$shape) > 1L
    if (is_whole) part$columns[order(column_order(part$spec))] else part$columns
  })
  read_pages(run, chain, slice, variables = specs, elements = group[[1]]$elements, on_page = function(columns, at) {
    rows <- at + seq_len(columns$count)
    for (i in seq_along(group)) {
      values <- columns$draws[[i]]$values
      width <- length(places[[i]])
      if (width > 1L) {
        dim(values) <- c(width, columns$count)
        values <- t(values)
      }
      if (width) fill(rows, places[[i]], values)
    }
  })
}

check_dots <- function(...) {
  if (...length()) fail("invalid_argument", "there is no argument ", shown(c(...names(), "without a name")[1]))
}

#' @rdname draws
#' @export
as_draws.mcb_run <- function(x, ...) as_draws_array.mcb_run(x, ...)

#' @rdname draws
#' @export
as_draws_matrix.mcb_run <- function(x, ...) posterior::as_draws_matrix(as_draws_array.mcb_run(x, ...))

#' @rdname draws
#' @export
as_draws_df.mcb_run <- function(x, ...) posterior::as_draws_df(as_draws_array.mcb_run(x, ...))

#' @rdname draws
#' @export
as_draws_list.mcb_run <- function(x, ...) posterior::as_draws_list(as_draws_array.mcb_run(x, ...))

#' @rdname draws
#' @export
as_draws_rvars.mcb_run <- function(x, ...) posterior::as_draws_rvars(as_draws_array.mcb_run(x, ...))

#' Draws of one variable or sampler stat of one chain
#'
#' Reads anything that a run can hold, also strings and variables of another shape in each draw, with warmup.
#'
#' @param run A run of [mcb_run()].
#' @param variable Name of a variable.
#' @param stat Name of a sampler stat.
#' @param chain Number of the chain, as [mcb_chains()] tells it: from 0 on.
#' @param start,stop,step A slice as Python has them, of iterations that count from 0, warmup included: `start` is the
#'   first, `stop` is behind the last, negative ones count from the end, and a negative step goes backwards. All
#'   iterations by default.
#' @return A vector for a scalar, an array whose first dimension are the draws for a fixed shape, else a list with an
#'   array for each draw. Integers beyond R's are doubles, exact up to 2^53; a warning of class `mcb_rounded` tells of
#'   others.
#'   Strings with U+0000 are an error of class `mcb_unsupported_value`.
#' @examplesIf nzchar(Sys.getenv("MCB_URL"))
#' client <- mcb_client()
#' run <- mcb_run(client, mcb_runs(client, limit = 1)$rid)
#' mcb_draws(run, names(run$variables)[1], chain = 0, start = -10)
#' @export
mcb_draws <- function(run, variable, chain, start = NULL, stop = NULL, step = NULL) {
  check_run(run)
  read_column(run, "variable", variable, run$variables, chain, start, stop, step)
}

#' @rdname mcb_draws
#' @export
mcb_stats <- function(run, stat, chain, start = NULL, stop = NULL, step = NULL) {
  check_run(run)
  read_column(run, "stat", stat, run$stats, chain, start, stop, step)
}

read_column <- function(run, kind, name, specs, chain, start, stop, step) {
  if (!is_string(name)) fail("invalid_argument", "`", kind, "` must be one name, not ", shown(name))
  name <- enc2utf8(name)
  spec <- specs[[name]]
  if (is.null(spec)) unknown_variable(name, names(specs), if (kind == "stat") "sampler stat" else "variable")
  if (!spec$dtype %in% c(names(SIZES), "str")) {
    fail("unsupported_dtype", "`", name, "` is of dtype ", spec$dtype, ", which this version of the package cannot read")
  }
  slice <- slice_of(chain_length(run, chain), start, stop, step)
  columns <- stats::setNames(list(spec), name)
  pages <- list()
  read_pages(run, chain, slice,
    variables = if (kind == "variable") columns else list(), stats = if (kind == "stat") columns else list(),
    on_page = function(columns, at) {
      column <- (if (kind == "variable") columns$draws else columns$stats)[[1]]
      pages[[length(pages) + 1L]] <<- if (spec$is_rigid) column$values else ragged_draws(column, spec)
    }
  )
  if (!spec$is_rigid) return(do.call(c, c(list(list()), pages)))
  values <- if (length(pages)) do.call(c, pages) else no_values(spec$dtype)
  if (length(spec$shape)) from_c_order(values, c(slice$count, spec$shape)) else values
}

# The length of a chain, from the server.
chain_length <- function(run, chain) {
  if (!is.numeric(chain) || length(chain) != 1L || is.na(chain) || chain < 0 || chain != trunc(chain)) {
    fail("invalid_argument", "`chain` must be one number from 0 on, not ", shown(chain))
  }
  ask(run, "GET", paste0("/chains/", in_query(chain)), read = function(answer) {
    as.numeric(members_of(json_of(answer), "length")$length)
  })
}

no_values <- function(dtype) {
  switch(dtype,
    str = character(), bool = logical(), float32 = , float64 = , int64 = , uint64 = , uint32 = double(), integer()
  )
}

# An array for each draw of a column whose shape varies. Draws of one dimension have `dim` as well where some may be
# scalars, which have none.
ragged_draws <- function(column, spec) {
  sizes <- vapply(column$shapes, prod, 0)
  ends <- cumsum(sizes)
  Map(function(shape, size, end) {
    draw <- from_c_order(column$values[seq.int(end - size + 1, length.out = size)], shape)
    if (is.null(spec$shape) && length(shape) == 1L) array(draw, shape) else draw
  }, column$shapes, sizes, ends)
}
