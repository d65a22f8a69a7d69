# RunMeta: all that is known of a run before its first draw, as bytes.

#' A variable or sampler stat of a run that is registered
#'
#' @param shape Dimensions of one draw: nothing for a scalar, `c(2, 3)` for a matrix. `-1` is a dimension that may have
#'   another length in each draw, `NULL` stands for a shape whose number of dimensions may vary as well.
#' @param dtype Type of an element on the server: `"float64"`, `"float32"`, `"bool"`, `"str"`, `"int8"`, `"int16"`,
#'   `"int32"`, `"int64"`, or one of the last four with `u` before it.
#' @param dims Names of the dimensions, which coordinates have labels for.
#' @param is_deterministic `TRUE` for a quantity that is computed from others.
#' @return An object for `variables` and `sample_stats` of [mcb_init_run()].
#' @examples
#' mcb_variable(c(2, 3))
#' mcb_variable(dtype = "int64")
#' mcb_variable(-1, "str")
#' @export
mcb_variable <- function(shape = integer(), dtype = "float64", dims = NULL, is_deterministic = FALSE) {
  if (!is_string(dtype) || !dtype %in% c(names(SIZES), "str")) {
    fail("unsupported_dtype", "`dtype` must be one of ", paste(c(names(SIZES), "str"), collapse = ", "), ", not ", shown(dtype))
  }
  if (!is.null(shape)) shape <- check_shape(shape)
  if (!is.null(dims)) dims <- check_names_of(dims, "dims")
  if (length(dims) && !is.null(shape) && length(dims) != length(shape)) {
    fail("invalid_argument", "`dims` has ", length(dims), " names for ", length(shape), " dimensions")
  }
  check_flag(is_deterministic, "is_deterministic")
  structure(
    list(
      dtype = dtype, shape = shape, dims = if (length(dims)) dims, is_deterministic = is_deterministic,
      undefined_ndim = is.null(shape)
    ),
    class = "mcb_variable"
  )
}

#' @export
print.mcb_variable <- function(x, ...) {
  shape <- if (x$undefined_ndim) "of any shape" else paste0("[", paste(x$shape, collapse = ", "), "]")
  cat("<mcb_variable ", x$dtype, " ", shape, if (length(x$dims)) paste0(" (", paste(x$dims, collapse = ", "), ")"), ">\n", sep = "")
  invisible(x)
}

check_shape <- function(shape) {
  if (!is.numeric(shape) || anyNA(shape) || any(shape < -1 | shape != trunc(shape) | shape > 2^31)) {
    fail("invalid_argument", "a shape is whole numbers from 0, or -1 where a dimension varies, not ", shown(shape))
  }
  as.double(shape)
}

check_names_of <- function(names, what) {
  if (!is.character(names) || anyNA(names)) fail("invalid_argument", "`", what, "` must be names, not ", shown(names))
  utf8(names, what)
}

# Variables as a caller gave them, as a named list of mcb_variable: c("mu", "tau"), list(theta = 8, k = "int64").
as_variables <- function(given, what, dims = list()) {
  if (is.character(given) && is.null(names(given))) given <- stats::setNames(rep(list(integer()), length(given)), given)
  given <- check_named(as.list(given), what)
  Map(function(name, one) {
    made <- as_variable(one, paste0(what, "$", name))
    if (!is.null(dims[[name]])) made <- mcb_variable(made$shape, made$dtype, dims[[name]], made$is_deterministic)
    made
  }, names(given), given)
}

as_variable <- function(given, what) {
  if (inherits(given, "mcb_variable")) return(given)
  if (is.null(given)) return(mcb_variable())
  if (is_string(given)) return(mcb_variable(dtype = given))
  if (is.numeric(given)) return(mcb_variable(given))
  fail("invalid_argument", "`", what, "` must be a shape, a dtype or mcb_variable(), not ", shown(given))
}

# A list with a name for each member, none of them twice.
check_named <- function(given, what) {
  if (!is.list(given)) fail("invalid_argument", "`", what, "` must be a named list, not ", shown(given))
  if (!length(given)) return(stats::setNames(list(), character()))
  if (is.null(names(given)) || anyNA(names(given)) || any(names(given) == "")) {
    fail("invalid_argument", "each member of `", what, "` needs a name")
  }
  names(given) <- utf8(names(given), what)
  twice <- names(given)[duplicated(names(given))]
  if (length(twice)) fail("invalid_argument", "`", what, "` has the name ", shown(twice[1L]), " twice")
  given
}

# ---- The message ----

# RunMeta of what `mcb_init_run` was given. Its rid stays empty: the path has it.
run_meta <- function(variables, sample_stats, coords, dims, data, observed, attributes) {
  members <- c(
    Map(function(name, one) field(3L, variable_message(name, one)), names(variables), variables),
    Map(function(name, values) field(4L, text_field(1L, name), field(2L, coordinate(name, values), is_kept = TRUE)),
      names(coords), coords),
    Map(function(name, value) {
      entry <- extended_value(value, paste0("the attribute ", shown(name)))
      field(5L, text_field(1L, name), field(2L, entry, is_kept = TRUE))
    }, names(attributes), attributes),
    Map(function(name, one) field(6L, variable_message(name, one)), names(sample_stats), sample_stats),
    Map(function(name, value) field(7L, data_message(name, value, dims[[name]], name %in% observed)), names(data), data)
  )
  as.raw(unlist(members, use.names = FALSE))
}

variable_message <- function(name, variable) {
  c(
    text_field(1L, name), text_field(2L, variable$dtype), field(3L, dimension_varints(variable$shape)),
    unlist(lapply(variable$dims, function(dim) text_field(4L, dim, is_kept = TRUE))),
    flag_field(5L, variable$is_deterministic), flag_field(6L, variable$undefined_ndim)
  )
}

coordinate <- function(name, values) ndarray(values, paste0("the coordinate ", shown(name)))

# A number that stands alone, and has no names of dimensions, is of shape [].
data_message <- function(name, value, dims, is_observed) {
  is_scalar <- is.null(dim(value)) && length(value) == 1L && !length(dims)
  what <- paste0("the data ", shown(name))
  if (length(dims) && length(dims) != max(1L, length(dim(value)))) {
    fail("invalid_argument", what, " has ", max(1L, length(dim(value))), " dimensions, and `dims` names ", length(dims))
  }
  c(
    text_field(1L, name), field(2L, if (is_scalar) ndarray(value, what, integer()) else ndarray(value, what)),
    unlist(lapply(dims, function(dim) text_field(3L, dim, is_kept = TRUE))), flag_field(4L, is_observed)
  )
}

# ---- Attributes ----

# An ExtendedValue: NULL, one flag, number, text, time or span; a list; or an array.
extended_value <- function(value, what) {
  is_one <- length(value) == 1L && is.null(dim(value)) && is.null(names(value))
  if (is.null(value)) return(as.raw(c(8, 0)))
  if (is.list(value) && !is.object(value)) {
    return(if (is_struct(value)) field(5L, struct(value, what), is_kept = TRUE) else field(6L, list_value(value, what), is_kept = TRUE))
  }
  if (is_one && !is.na(value)) {
    if (is.factor(value)) value <- as.character(value)
    if (is.logical(value)) return(c(varints(4 * 8), as.raw(value)))
    if (is.character(value)) return(text_field(3L, utf8(value, what), is_kept = TRUE))
    if (inherits(value, "POSIXct")) return(field(7L, seconds_message(as.double(value), floor), is_kept = TRUE))
    if (inherits(value, "difftime")) return(field(8L, seconds_message(as.double(value, units = "secs"), trunc), is_kept = TRUE))
  }
  if (is_one && is.numeric(value) && !is.object(value)) return(double_field(2L, value))
  field(9L, ndarray(value, what), is_kept = TRUE)
}

is_struct <- function(value) !is.null(names(value))

# google.protobuf.Timestamp and Duration: whole seconds, and less than 1e9 nanoseconds. They count forwards in a Timestamp,
# whose seconds are rounded by floor(); a Duration has both of one sign, by trunc().
seconds_message <- function(seconds, to_whole) {
  whole <- to_whole(seconds)
  micros <- round((seconds - whole) * 1e6)
  carry <- trunc(micros / 1e6)
  c(signed_field(1L, whole + carry), signed_field(2L, (micros - carry * 1e6) * 1e3))
}

# int64 and int32 below 0 take ten bytes, in two's complement.
signed_field <- function(number, value) {
  if (value >= 0) return(whole_field(number, value))
  bytes <- element_bytes(value, "int64")
  bits <- matrix(as.integer(rawToBits(bytes))[1:63], 7L)
  groups <- colSums(bits * 2^(0:6))
  c(varints(number * 8), as.raw(c(groups + 128, 1)))
}

struct <- function(value, what) {
  value <- check_named(value, what)
  unlist(Map(function(name, one) {
    field(1L, text_field(1L, name), field(2L, json_value(one, paste0(what, "$", name)), is_kept = TRUE))
  }, names(value), value), use.names = FALSE)
}

list_value <- function(value, what) {
  unlist(lapply(value, function(one) field(1L, json_value(one, what), is_kept = TRUE)), use.names = FALSE)
}

# A google.protobuf.Value, in which vectors become lists.
json_value <- function(value, what) {
  if (is.null(value)) return(as.raw(c(8, 0)))
  if (is.factor(value)) value <- as.character(value)
  if (is.object(value)) fail("unsupported_dtype", what, " is ", class(value)[1L], ", which a list cannot hold: give it as text")
  if (is.list(value) || length(value) != 1L || !is.null(names(value))) {
    value <- as.list(value)
    if (is_struct(value)) return(field(5L, struct(value, what), is_kept = TRUE))
    return(field(6L, list_value(value, what), is_kept = TRUE))
  }
  if (is.character(value)) return(text_field(3L, utf8(value, what), is_kept = TRUE))
  if (is.logical(value) && !is.na(value)) return(c(varints(4 * 8), as.raw(value)))
  if (!is.numeric(value) || !is.finite(value)) fail("invalid_argument", what, " is ", shown(value), ", which a list cannot hold: give it as text")
  double_field(2L, value)
}
