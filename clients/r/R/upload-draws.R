# Draws of posterior, and of all that posterior takes for draws.

#' @rdname mcb_upload
#' @export
mcb_upload.draws <- function(client, fit, rid = NULL, ..., stats = NULL, warmup = 0) {
  upload(client, draws_source(fit, stats, warmup), rid, ...)
}

#' @rdname mcb_upload
#' @export
mcb_upload.draws_rvars <- function(client, fit, rid = NULL, ..., stats = NULL, warmup = 0) {
  upload(client, rvars_source(fit, stats, warmup), rid, ...)
}

#' @rdname mcb_upload
#' @export
mcb_upload.data.frame <- function(client, fit, rid = NULL, ...) {
  is_number <- vapply(fit, function(column) is.numeric(column) || is.logical(column), NA)
  if (!all(is_number)) fail("invalid_argument", "the column ", shown(names(fit)[!is_number][1L]), " has no numbers")
  mcb_upload(client, posterior::as_draws_df(fit), rid, ...)
}

#' @rdname mcb_upload
#' @export
mcb_upload.array <- function(client, fit, rid = NULL, ...) {
  if (!is.numeric(fit) || length(dim(fit)) != 3L) {
    fail("invalid_argument", "an array of draws has numbers, and the dimensions [iteration, chain, variable]")
  }
  mcb_upload(client, posterior::as_draws_array(fit), rid, ...)
}

#' @rdname mcb_upload
#' @export
mcb_upload.matrix <- function(client, fit, rid = NULL, ...) {
  if (!is.numeric(fit)) fail("invalid_argument", "a matrix of draws has numbers, a row for each draw")
  mcb_upload(client, posterior::as_draws_matrix(fit), rid, ...)
}

#' @rdname mcb_upload
#' @export
mcb_upload.mcmc.list <- function(client, fit, rid = NULL, ...) mcb_upload(client, posterior::as_draws_array(fit), rid, ...)

#' @rdname mcb_upload
#' @export
mcb_upload.mcmc <- mcb_upload.mcmc.list

# The source of draws whose variables are scalars with names such as theta[1,2].
draws_source <- function(fit, stats, warmup) {
  draws <- unclass(posterior::as_draws_array(fit))
  names <- dimnames(draws)[[3L]]
  arrays <- arrays_of(names[!is_stat_name(names)])
  columns <- lapply(arrays, function(array) match(names[!is_stat_name(names)][array$columns], names))
  own <- draws[, , is_stat_name(names), drop = FALSE]
  source_of(
    lapply(arrays, function(array) mcb_variable(array$shape)), dim(draws)[1:2], own, stats, warmup,
    function(chain, rows) {
      Map(function(array, columns) array(draws[rows, chain, columns], c(length(rows), array$shape)), arrays, columns)
    }
  )
}

# The source of random variables, whose arrays have a shape and a type.
rvars_source <- function(fit, stats, warmup) {
  is_stat <- is_stat_name(names(fit)) & vapply(fit, length, 0L) == 1L
  own <- unclass(posterior::as_draws_array(fit[is_stat]))
  fit <- unclass(fit)[!is_stat]
  arrays <- lapply(fit, posterior::draws_of)
  size <- c(posterior::niterations(fit[[1L]]), posterior::nchains(fit[[1L]]))
  is_scalar <- vapply(arrays, function(x) identical(dim(x)[-1L], 1L), NA)
  source_of(
    Map(function(x, is_scalar) mcb_variable(if (is_scalar) integer() else dim(x)[-1L], dtype_of(x)), arrays, is_scalar),
    size, own, stats, warmup,
    function(chain, rows) {
      Map(function(x, is_scalar) {
        part <- some_draws(x, (chain - 1) * size[1L] + rows[1L], (chain - 1) * size[1L] + rows[length(rows)])
        if (is_scalar) as.vector(part) else part
      }, arrays, is_scalar)
    }
  )
}

dtype_of <- function(x) switch(typeof(x), logical = if (anyNA(x)) "float64" else "bool", integer = if (anyNA(x)) "float64" else "int32", "float64")

# size: draws of each chain, and chains. own, given: stats as [draw, chain, stat], and in any format of posterior.
# draws: the function of a chain and of rows that gives draws of all variables.
source_of <- function(variables, size, own, given, warmup, draws) {
  check_index(warmup, "warmup")
  if (warmup > size[1L]) fail("invalid_argument", "`warmup` is ", warmup, ", and a chain has ", size[1L], " draws")
  stats <- stats_of(own, given, size)
  dtypes <- vapply(names(stats), function(name) stat_dtype(name, list(stats[[name]])), "")
  has_flag <- warmup > 0
  list(
    variables = variables,
    stats = c(lapply(dtypes, function(dtype) mcb_variable(dtype = dtype)), if (has_flag) list(in_warmup = mcb_variable(dtype = "bool"))),
    facts = list(expected = list(draws = size[1L] - warmup, warmup = warmup)),
    chains = lapply(seq_len(size[2L]), function(chain) {
      list(draws = size[1L], block = function(from, to) {
        rows <- seq.int(from, to)
        list(draws = draws(chain, rows), stats = c(
          Map(function(x, dtype) as_dtype(x[rows, chain], dtype), stats, dtypes), if (has_flag) list(in_warmup = rows <= warmup)
        ))
      })
    })
  )
}

# Stats as matrices [draw, chain] by name.
stats_of <- function(own, given, size) {
  by_name <- function(x) {
    stats::setNames(lapply(seq_len(dim(x)[3L]), function(i) matrix(x[, , i], dim(x)[1L])), dimnames(x)[[3L]])
  }
  if (is.null(given)) return(by_name(own))
  given <- unclass(posterior::as_draws_array(given))
  if (any(dim(given)[1:2] != size)) {
    fail("shape_mismatch", "`stats` has ", dim(given)[2L], " chains of ", dim(given)[1L], " draws, `fit` ", size[2L], " of ", size[1L])
  }
  check_named(c(by_name(own), by_name(given)), "stats")
}
