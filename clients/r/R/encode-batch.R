# DrawBatch: draws of all columns as bytes, and the pieces that requests carry.

# Bytes of draws that one request aims at, and iterations that a server takes in one.
MOST_BYTES <- 8 * 2^20
MOST_DRAWS <- 1e6

# ---- Checks: before the first byte is sent, so that a block is taken whole or not at all ----

# Draws of a block for each column, checked against what the run has: list(count, draws, stats).
check_block <- function(run, draws, stats, count = NULL) {
  draws <- check_columns(draws, run$variables, "draws")
  stats <- check_columns(stats, run$stats, "stats")
  missing <- setdiff(names(run$variables), names(draws))
  if (length(missing)) {
    fail("missing_variable", "`draws` lacks the variable ", shown(missing[1L]), " of the run ", run$rid,
      fields = list(variable = missing[1L])
    )
  }
  counts <- c(
    unlist(Map(count_of, draws, run$variables[names(draws)], names(draws))),
    unlist(Map(count_of, stats, run$stats[names(stats)], names(stats)))
  )
  if (is.null(count)) {
    if (!length(counts)) fail("invalid_argument", "`count` must tell how many draws there are, as no column does")
    count <- counts[[1L]]
  }
  if (count == 0) fail("empty_batch", "the block has no draws: mcb_init_chain() makes a chain without any")
  other <- which(counts != count)
  if (length(other)) {
    name <- c(names(draws), names(stats))[other[1L]]
    fail("shape_mismatch", shown(name), " has ", counts[[other[1L]]], " draws, where the block has ", count,
      fields = list(variable = name, expected = count, actual = counts[[other[1L]]])
    )
  }
  list(count = count, draws = draws, stats = stats)
}

check_columns <- function(given, known, what) {
  given <- check_named(as.list(given), what)
  for (name in names(given)) {
    if (is.null(known[[name]])) {
      fail("unknown_variable", "the run has no ", if (what == "draws") "variable " else "sampler stat ", shown(name),
        ": it has ", listed(names(known)), fields = list(variable = name)
      )
    }
  }
  given
}

listed <- function(names) {
  if (!length(names)) return("none")
  paste0(paste(names[seq_len(min(8L, length(names)))], collapse = ", "), if (length(names) > 8L) ", ...")
}

# The number of draws that a column holds. Its elements, and the shape of each draw, are checked here.
count_of <- function(x, spec, name) {
  if (!spec$is_rigid) return(ragged_count(x, spec, name))
  if (is.list(x)) {
    fail("shape_mismatch", shown(name), " must be one array whose first index is the draw, not a list, as its shape is fixed",
      fields = list(variable = name)
    )
  }
  check_elements(x, spec$dtype, shown(name), name)
  expected <- as.double(spec$shape)
  actual <- if (is.null(dim(x))) length(x) else dim(x)
  if (length(actual) != length(expected) + 1L || any(actual[-1L] != expected)) {
    fail("shape_mismatch", shown(name), " must have the dimensions [",
      paste(c("draws", expected), collapse = ", "), "], not [", paste(actual, collapse = ", "), "]",
      fields = list(variable = name, expected = expected, actual = actual[-1L])
    )
  }
  actual[1L]
}

ragged_count <- function(x, spec, name) {
  if (!is.list(x)) {
    fail("shape_mismatch", shown(name), " must be a list with an array for each draw, as its shape varies",
      fields = list(variable = name)
    )
  }
  for (at in seq_along(x)) {
    check_elements(x[[at]], spec$dtype, paste0("draw ", at, " of ", shown(name)), name)
    actual <- shape_of(x[[at]], spec)
    if (is.null(spec$shape)) next
    expected <- spec$shape
    if (length(actual) != length(expected) || any(expected >= 0 & expected != actual)) {
      fail("shape_mismatch", "draw ", at, " of ", shown(name), " must have the shape [", paste(expected, collapse = ", "),
        "], -1 standing for any length, not [", paste(actual, collapse = ", "), "]",
        fields = list(variable = name, expected = expected, actual = actual)
      )
    }
  }
  length(x)
}

# The shape of a draw. One element without dim() is a scalar where the number of dimensions varies.
shape_of <- function(x, spec) {
  if (!is.null(dim(x))) return(dim(x))
  if (is.null(spec$shape) && length(x) == 1L) return(integer())
  length(x)
}

# ---- Pieces ----

# First and last draws of the pieces that one request each carries, as a matrix of two columns.
pieces_of <- function(block, run, most_bytes = MOST_BYTES, most_draws = MOST_DRAWS) {
  sizes <- c(
    Map(draw_bytes, block$draws, run$variables[names(block$draws)]), Map(draw_bytes, block$stats, run$stats[names(block$stats)])
  )
  sizes <- Reduce(`+`, sizes, 0)
  if (length(sizes) == 1L) {
    step <- max(1, min(most_draws, most_bytes %/% max(1, sizes)))
    from <- seq(1, block$count, by = step)
  } else {
    from <- cuts(sizes, most_bytes, most_draws)
  }
  cbind(from, c(from[-1L] - 1, block$count))
}

# Bytes of one draw, the same for all; or of each, where draws differ in it.
draw_bytes <- function(x, spec) {
  if (is.list(x)) {
    dims <- vapply(x, function(draw) 1 + length(dim(draw)), 0)
    if (spec$dtype != "str") return(dims + lengths(x) * SIZES[[spec$dtype]])
    return(dims + vapply(x, function(draw) sum(nchar(draw, "bytes") + 2), 0))
  }
  if (spec$dtype != "str") return(prod(spec$shape) * SIZES[[spec$dtype]])
  rowSums(matrix(nchar(x, "bytes") + 2, NROW(x)))
}

# The first draws of pieces that take no more bytes than `most_bytes`, or are of a single draw.
cuts <- function(sizes, most_bytes, most_draws) {
  ends <- cumsum(as.double(sizes))
  from <- 1
  repeat {
    first <- from[length(from)]
    before <- if (first > 1) ends[first - 1] else 0
    after <- max(first, findInterval(before + most_bytes, ends))
    after <- min(after, first + most_draws - 1)
    if (after >= length(sizes)) return(from)
    from <- c(from, after + 1)
  }
}

# ---- Bytes ----

# The DrawBatch of draws `from` to `to` of a checked block, which is `start` as an index of the chain.
draw_batch <- function(block, run, start, from, to) {
  columns <- function(number, given, specs) {
    unlist(Map(function(name, x) field(number, column_message(name, x, specs[[name]], from, to)), names(given), given),
      use.names = FALSE
    )
  }
  c(
    whole_field(1L, start), whole_field(2L, to - from + 1), columns(3L, block$draws, run$variables),
    columns(4L, block$stats, run$stats)
  )
}

column_message <- function(name, x, spec, from, to) {
  head <- c(text_field(1L, name), text_field(2L, spec$dtype))
  if (spec$is_rigid) return(c(head, values_field(c_order(some_draws(x, from, to)), spec$dtype, name)))
  draws <- x[seq.int(from, to)]
  shapes <- unlist(lapply(draws, function(draw) {
    shape <- shape_of(draw, spec)
    c(length(shape), shape)
  }))
  flat <- lapply(draws, function(draw) flat_of(c_order(draw)))
  values <- unlist(flat, use.names = FALSE)
  if (any(vapply(draws, inherits, NA, "integer64"))) values <- integer64_of(draws, flat)
  c(head, values_field(values, spec$dtype, name), field(4L, varints(shapes)))
}

values_field <- function(values, dtype, name) {
  if (dtype != "str") return(if (length(values)) field(3L, element_bytes(values, dtype)))
  text_fields(5L, utf8(as.vector(values), shown(name)))
}

flat_of <- function(x) as.vector(if (inherits(x, "integer64")) unclass(x) else x)

# Elements of draws as 64-bit integers, where some draws are of that class and others are doubles.
integer64_of <- function(draws, flat) {
  bits <- Map(function(draw, x) {
    if (inherits(draw, "integer64")) return(x)
    readBin(element_bytes(x, "int64"), "double", length(x), endian = "little")
  }, draws, flat)
  structure(unlist(bits, use.names = FALSE), class = "integer64")
}

# Draws `from` to `to` of an array whose first index is the draw.
some_draws <- function(x, from, to) {
  rank <- max(1L, length(dim(x)))
  if (from == 1 && to == NROW(x)) return(x)
  rows <- seq.int(from, to)
  every <- rep(list(quote(expr = )), rank - 1L)
  keep_class(do.call(`[`, c(list(unclass(x), rows), every, if (rank > 1L) list(drop = FALSE))), x)
}
