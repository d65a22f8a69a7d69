# RunMeta out of protobuf: variables, sampler stats, coordinates, data, attributes.

# list(rid, variables, stats, coords, data, attributes), each of the last five by name.
decode_meta <- function(x) {
  fields <- fields_of(x)
  named <- function(n, read) {
    found <- Filter(Negate(is.null), all_messages(fields, n, x, function(...) without_nul(read, ...)))
    stats::setNames(found, vapply(found, `[[`, "", "name"))
  }
  entries <- named(5, decode_entry)
  list(
    rid = last_text(fields, 1, x),
    variables = named(3, decode_variable),
    stats = named(6, decode_variable),
    coords = lapply(named(4, decode_coordinate), `[[`, "values"),
    data = named(7, decode_data),
    # The last of entries with one key counts.
    attributes = lapply(entries[!duplicated(names(entries), fromLast = TRUE)], `[[`, "value")
  )
}

# A part of the metadata; NULL, with a warning, for one whose name R cannot hold.
without_nul <- function(read, ...) {
  tryCatch(read(...), mcb_unsupported_value = function(e) {
    warning("a part of the run is left out, since R cannot hold the U+0000 in its name", call. = FALSE)
    NULL
  })
}

# list(name, dtype, shape, dims, is_deterministic, is_rigid); shape is NULL where even the number of dimensions varies,
# and has -1 for a dimension that does.
decode_variable <- function(x, from, to) {
  fields <- fields_of(x, from, to)
  shape <- all_numbers(fields, 3, x, signed)
  is_undefined <- last_number(fields, 6) != 0
  list(
    name = last_text(fields, 1, x), dtype = last_text(fields, 2, x), shape = if (!is_undefined) shape,
    dims = all_texts(fields, 4, x), is_deterministic = last_number(fields, 5) != 0,
    is_rigid = !is_undefined && all(shape >= 0)
  )
}

decode_coordinate <- function(x, from, to) {
  fields <- fields_of(x, from, to)
  list(name = last_text(fields, 1, x), values = decode_last_array(fields, 2, x))
}

decode_data <- function(x, from, to) {
  fields <- fields_of(x, from, to)
  list(
    name = last_text(fields, 1, x), value = decode_last_array(fields, 2, x), dims = all_texts(fields, 3, x),
    is_observed = last_number(fields, 4) != 0
  )
}

decode_last_array <- function(fields, n, x) {
  at <- last_bytes(fields, n)
  decode_array(x, at[1], at[2])
}

# ---- Attributes ----

decode_entry <- function(x, from, to) {
  fields <- fields_of(x, from, to)
  at <- last_bytes(fields, 2)
  list(name = last_text(fields, 1, x), value = decode_extended(x, at[1], at[2]))
}

# The last field of a `oneof` as list(number, from, to, low, high); NULL where none is set.
last_of <- function(fields, numbers) {
  at <- which(fields$number %in% numbers)
  if (!length(at)) return(NULL)
  lapply(fields, `[`, at[length(at)])
}

# An ExtendedValue as R has it: NULL, numbers, strings, flags, lists, POSIXct, difftime, arrays.
decode_extended <- function(x, from, to) {
  one <- last_of(fields_of(x, from, to), 1:9)
  if (is.null(one) || one$number <= 6) return(plain_value(x, one))
  switch(one$number - 6,
    as.POSIXct(seconds_of(x, one$from, one$to), origin = "1970-01-01", tz = "UTC"),
    as.difftime(seconds_of(x, one$from, one$to), units = "secs"),
    decode_array(x, one$from, one$to)
  )
}

attribute_text <- function(x, one) {
  tryCatch(texts_at(x, one$from, one$to), mcb_unsupported_value = function(e) na_for_nul("an attribute"))
}

# NA for a text with U+0000, which R cannot hold and which is shortened nowhere.
na_for_nul <- function(what) {
  warning(structure(class = c("mcb_nul", "warning", "condition"), list(
    message = paste0(what, " is read as NA: R cannot hold its U+0000"), call = NULL
  )))
  NA_character_
}

decode_struct <- function(x, from, to) {
  fields <- fields_of(x, from, to)
  entries <- all_messages(fields, 1, x, function(x, from, to) {
    entry <- fields_of(x, from, to)
    at <- last_bytes(entry, 2)
    list(name = last_text(entry, 1, x), value = decode_value(x, at[1], at[2]))
  })
  out <- stats::setNames(lapply(entries, `[[`, "value"), vapply(entries, `[[`, "", "name"))
  out[!duplicated(names(out), fromLast = TRUE)]
}

decode_list <- function(x, from, to) all_messages(fields_of(x, from, to), 1, x, decode_value)

# A google.protobuf.Value.
decode_value <- function(x, from, to) plain_value(x, last_of(fields_of(x, from, to), 1:6))

# Kinds of values that an ExtendedValue and a google.protobuf.Value have under the same numbers. `one` is of last_of().
plain_value <- function(x, one) {
  if (is.null(one)) return(NULL)
  switch(one$number,
    NULL,
    readBin(x[one$from:one$to], "double", 1L, 8L, endian = "little"),
    attribute_text(x, one),
    one$low + one$high > 0,
    decode_struct(x, one$from, one$to),
    decode_list(x, one$from, one$to)
  )
}

# Seconds of a Timestamp or a Duration, which a double holds to a microsecond.
seconds_of <- function(x, from, to) {
  fields <- fields_of(x, from, to)
  last_number(fields, 1, signed) + last_number(fields, 2, signed) / 1e9
}

# ---- npproto.ndarray ----

# An array of R out of an ndarray: a vector of one dimension or none, else with `dim`. Arrays that R has no type for, or whose
# bytes are not those of their shape, are an empty list with dtype and shape as attributes: a run is readable without them.
decode_array <- function(x, from, to) {
  fields <- fields_of(x, from, to)
  shape <- all_numbers(fields, 3, x, signed)
  dtype <- last_text(fields, 2, x)
  data <- last_bytes(fields, 1)
  # A damaged dtype fails in functions of R as well.
  values <- tryCatch(elements_of(x, data[1], data[2], dtype), error = function(e) NULL)
  if (is.null(values) || length(values) != prod(shape)) return(unreadable(dtype, shape))
  from_c_order(values, shape)
}

unreadable <- function(dtype, shape) structure(list(), dtype = dtype, shape = shape, class = "mcb_unreadable")

#' @export
print.mcb_unreadable <- function(x, ...) {
  cat("<an array of ", attr(x, "dtype"), ", which R cannot read>\n", sep = "")
  invisible(x)
}

# Elements in C order as a vector, or an array with R's order of elements. Attributes such as the class stay.
from_c_order <- function(values, shape) {
  if (length(shape) < 2L) return(values)
  if (any(shape >= 2^31)) fail("unsupported_value", "an array has a dimension of 2^31 or more, which R's arrays cannot have")
  kept <- attributes(values)
  out <- aperm(array(values, rev(shape)), rev(seq_along(shape)))
  attributes(out) <- c(kept, list(dim = as.integer(shape)))
  out
}

# Kinds of NumPy's short names, such as "<f8".
KINDS <- c(f = "float", i = "int", u = "uint", b = "bool", c = "complex")

# The elements of an ndarray's bytes; NULL for a dtype that R has nothing for.
elements_of <- function(x, from, to, dtype) {
  endian <- if (startsWith(dtype, ">")) "big" else "little"
  plain <- sub("^[<>=|]", "", dtype)
  if (grepl("^[fiubc][0-9]+$", plain)) {
    kind <- KINDS[[substr(plain, 1L, 1L)]]
    plain <- if (kind == "bool") kind else paste0(kind, 8L * as.integer(substring(plain, 2L)))
  }
  if (plain %in% names(SIZES)) return(numbers_of(x, from, to, plain, endian))
  bytes <- if (to < from) raw() else x[from:to]
  if (plain == "float16") return(halves_of(bytes, endian))
  if (plain %in% c("complex64", "complex128")) return(complex_of(bytes, plain, endian))
  if (grepl("^(U|str)[0-9]+$", plain)) return(wide_texts(bytes, as.integer(sub("^[a-zU]*", "", plain)), endian))
  if (grepl("^(S|bytes)[0-9]+$", plain)) return(byte_texts(bytes, as.integer(sub("^[a-zS]*", "", plain))))
  if (grepl("^(datetime64|M8)\\[", plain)) return(times_of(bytes, plain, endian))
  NULL
}

complex_of <- function(bytes, dtype, endian) {
  parts <- readBin(bytes, "double", length(bytes), if (dtype == "complex64") 4L else 8L, endian = endian)
  odd <- seq.int(1L, by = 2L, length.out = length(parts) / 2)
  complex(real = parts[odd], imaginary = parts[odd + 1L])
}

# IEEE 754's numbers of 16 bits.
halves_of <- function(bytes, endian) {
  words <- readBin(bytes, "integer", length(bytes) / 2, 2L, FALSE, endian)
  sign <- ifelse(words >= 32768L, -1, 1)
  exponent <- words %/% 1024L %% 32L
  fraction <- words %% 1024L
  sign * ifelse(exponent == 31L, ifelse(fraction == 0L, Inf, NaN),
    ifelse(exponent == 0L, fraction * 2^-24, (1024 + fraction) * 2^(exponent - 25))
  )
}

# Texts of fixed width in UTF-32, filled up with zeros.
wide_texts <- function(bytes, width, endian) {
  if (!length(bytes)) return(character())
  if (width == 0L) return(character())
  if (length(bytes) %% (4 * width) != 0) damaged("texts that are cut off")
  points <- matrix(readBin(bytes, "integer", length(bytes) / 4, 4L, TRUE, endian), nrow = width)
  if (anyNA(points) || any(points < 0L | points > 0x10FFFFL)) damaged("texts beyond Unicode")
  apply(points, 2L, function(text) {
    text <- text[seq_len(max(0L, which(text != 0L)))]
    if (any(text == 0L)) return(na_for_nul("a text of an array"))
    if (length(text)) intToUtf8(text) else ""
  })
}

# NumPy's bytes of fixed width, filled up with zeros, as texts.
byte_texts <- function(bytes, width) {
  if (!length(bytes) || width == 0L) return(character())
  if (length(bytes) %% width != 0) damaged("texts that are cut off")
  apply(matrix(bytes, nrow = width), 2L, function(text) {
    text <- text[seq_len(max(0L, which(text != as.raw(0))))]
    if (any(text == as.raw(0))) return(na_for_nul("a text of an array"))
    rawToChar(text)
  })
}

# Seconds of NumPy's units of time; years and months have no fixed number of them.
UNITS <- c(
  W = 604800, D = 86400, h = 3600, m = 60, s = 1, ms = 1e-3, us = 1e-6, ns = 1e-9, ps = 1e-12, fs = 1e-15, as = 1e-18
)

# datetime64 as Date of days, else as POSIXct in UTC; NULL for units that are neither. NaT is NA.
times_of <- function(bytes, dtype, endian) {
  unit <- sub("^.*\\[([0-9]*)([A-Za-z]+)\\]$", "\\2", dtype)
  many <- sub("^.*\\[([0-9]*)[A-Za-z]+\\]$", "\\1", dtype)
  if (!unit %in% names(UNITS)) return(NULL)
  # Nanoseconds since 1970 are beyond 2^53: a time of R is a double of seconds, and exact to a microsecond.
  ticks <- withCallingHandlers(
    numbers_of(bytes, 1, length(bytes), "int64", endian),
    mcb_rounded = function(w) invokeRestart("muffleWarning")
  )
  ticks[ticks == -2^63] <- NA
  if (nzchar(many)) ticks <- ticks * as.numeric(many)
  if (unit == "D") return(as.Date(ticks, origin = "1970-01-01"))
  as.POSIXct(ticks * UNITS[[unit]], origin = "1970-01-01", tz = "UTC")
}
