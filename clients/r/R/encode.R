# Bytes of protobuf messages and of arrays: what RunMeta and DrawBatch have in common.

# The least and the greatest whole number of each dtype that R's doubles tell apart.
RANGES <- list(
  int8 = c(-2^7, 2^7 - 1), int16 = c(-2^15, 2^15 - 1), int32 = c(-2^31, 2^31 - 1), int64 = c(-2^53, 2^53),
  uint8 = c(0, 2^8 - 1), uint16 = c(0, 2^16 - 1), uint32 = c(0, 2^32 - 1), uint64 = c(0, 2^53)
)

# The least double that float32 rounds to infinity.
FLOAT32_END <- 2^128 - 2^103

# ---- Fields ----

# Varints of whole numbers from 0 to 2^53, one behind the other.
varints <- function(x) {
  x <- as.double(x)
  if (all(x < 128)) return(as.raw(x))
  bytes <- findInterval(x, 128^(1:7)) + 1
  most <- max(bytes)
  parts <- matrix(0, most, length(x))
  for (i in seq_len(most)) {
    parts[i, ] <- x %% 128 + ifelse(i < bytes, 128, 0)
    x <- x %/% 128
  }
  as.raw(parts[row(parts) <= rep(bytes, each = most)])
}

# int64 of a dimension: -1 takes ten bytes.
dimension_varints <- function(shape) {
  unlist(lapply(shape, function(d) if (d < 0) as.raw(c(rep(255, 9), 1)) else varints(d)))
}

# A field of bytes: a message, packed numbers or text. Default values are left out where `is_kept` is FALSE.
field <- function(number, ..., is_kept = FALSE) {
  bytes <- c(...)
  if (!length(bytes) && !is_kept) return(raw())
  c(varints(number * 8 + 2), varints(length(bytes)), bytes)
}

# A field for each of several texts, which are UTF-8, one behind the other.
text_fields <- function(number, texts) {
  if (!length(texts)) return(raw())
  sizes <- nchar(texts, "bytes")
  # Before each text stand the tag, of one byte, and its size.
  heads <- 2L + findInterval(sizes, 128^(1:4))
  is_tag <- replace(logical(sum(heads)), cumsum(c(1L, heads[-length(heads)])), TRUE)
  is_text <- rep(rep(c(FALSE, TRUE), length(texts)), rbind(heads, sizes))
  bytes <- raw(length(is_text))
  bytes[!is_text][is_tag] <- as.raw(number * 8 + 2)
  bytes[!is_text][!is_tag] <- varints(sizes)
  bytes[is_text] <- charToRaw(paste(texts, collapse = ""))
  bytes
}

text_field <- function(number, text, is_kept = FALSE) field(number, charToRaw(text), is_kept = is_kept)

whole_field <- function(number, value) if (value == 0) raw() else c(varints(number * 8), varints(value))

flag_field <- function(number, flag) whole_field(number, as.integer(flag))

double_field <- function(number, value) {
  c(varints(number * 8 + 1), writeBin(as.double(value), raw(), endian = "little"))
}

# ---- Text ----

# Text as UTF-8. `what` names it in errors, which `wrong` raises.
utf8 <- function(text, what, wrong = function(...) fail("dtype_mismatch", what, ...)) {
  if (anyNA(text)) wrong(" has NA, which text on the server cannot be: \"\" can")
  if (any(Encoding(text) == "bytes")) wrong(" has text marked as bytes: iconv() makes UTF-8 of it")
  text <- enc2utf8(text)
  if (!all(validUTF8(text))) wrong(" has text that is no valid UTF-8")
  text
}

# ---- Elements ----

# Elements as little-endian bytes. They were checked by `check_elements`.
element_bytes <- function(x, dtype) {
  if (inherits(x, "integer64")) return(writeBin(as.vector(unclass(x)), raw(), endian = "little"))
  x <- as.vector(x)
  switch(dtype,
    float64 = writeBin(as.double(x), raw(), endian = "little"),
    float32 = float32_bytes(as.double(x)),
    bool = , uint8 = as.raw(x),
    int8 = writeBin(as.integer(x), raw(), size = 1L),
    int16 = , uint16 = writeBin(as.integer(x), raw(), size = 2L, endian = "little"),
    int32 = , uint32 = writeBin(words(x), raw(), endian = "little"),
    int64 = , uint64 = writeBin(c(rbind(words(x %% 2^32), words(x %/% 2^32))), raw(), endian = "little")
  )
}

# Numbers from -2^31 to 2^32 - 1 as the integers of the same 32 bits. R's NA has those of -2^31.
words <- function(x) {
  if (is.integer(x)) return(x)
  x <- ifelse(x >= 2^31, x - 2^32, x)
  x[x == -2^31] <- NA
  as.integer(x)
}

# The conversion to float32 makes every NaN a quiet one; here a NaN keeps the upper 23 bits of its payload, as all of
# those have that were read from a float32.
float32_bytes <- function(x) {
  bytes <- writeBin(x, raw(), size = 4L, endian = "little")
  nan <- which(is.nan(x) | is.na(x))
  if (!length(nan)) return(bytes)
  halves <- readBin(writeBin(x[nan], raw(), endian = "little"), "integer", 2L * length(nan), endian = "little")
  halves <- matrix(from_word(halves), 2L)
  payload <- halves[2L, ] %% 2^20 * 8 + halves[1L, ] %/% 2^29
  payload[payload == 0] <- 2^22
  bits <- payload + 255 * 2^23 + ifelse(halves[2L, ] >= 2^31, 2^31, 0)
  bytes[outer(1:4, 4 * (nan - 1), `+`)] <- writeBin(words(bits), raw(), endian = "little")
  bytes
}

# Refuses what a column or an array of `dtype` cannot hold as it is. `what` names it in errors.
check_elements <- function(x, dtype, what, variable = what) {
  wrong <- function(...) {
    fail("dtype_mismatch", what, ...,
      fields = list(variable = variable, expected = dtype, actual = class(x)[1L])
    )
  }
  if (is.factor(x)) wrong(" is a factor: as.character() or as.integer() tells which of the two is meant")
  if (dtype == "str") {
    if (!is.character(x)) wrong(" must be character for the dtype str, not ", typeof(x))
    utf8(as.vector(x), what, wrong)
  } else if (dtype == "bool") {
    if (!is.logical(x)) wrong(" must be logical for the dtype bool, not ", typeof(x))
    if (anyNA(x)) wrong(" has NA, which a bool cannot be: ", first_at(is.na(x)))
  } else if (dtype %in% c("float64", "float32")) {
    if (!is.numeric(x) || is.object(x) && !inherits(x, "AsIs")) wrong(" must be numeric for the dtype ", dtype, ", not ", class(x)[1L])
    if (dtype == "float32" && any(abs(x) >= FLOAT32_END & is.finite(x))) wrong(" has numbers beyond the range of float32")
  } else {
    check_whole(x, dtype, what, wrong)
  }
  invisible(x)
}

check_whole <- function(x, dtype, what, wrong) {
  if (inherits(x, "integer64")) {
    if (!dtype %in% c("int64", "uint64")) wrong(" is integer64, which only int64 and uint64 take")
    if (dtype == "uint64" && any(integer64_signs(x))) wrong(" has numbers below 0 or NA, which uint64 is not")
    return(invisible())
  }
  if (!is.numeric(x) || is.object(x) && !inherits(x, "AsIs")) wrong(" must be whole numbers for the dtype ", dtype, ", not ", class(x)[1L])
  if (anyNA(x)) wrong(" has NA, which ", dtype, " cannot be: ", first_at(is.na(x)))
  if (is.double(x) && any(x != trunc(x))) wrong(" has numbers that are not whole, which ", dtype, " cannot be")
  range <- RANGES[[dtype]]
  if (any(x < range[1L] | x > range[2L])) {
    wrong(
      " has numbers beyond the range of ", dtype,
      if (dtype %in% c("int64", "uint64")) ", of which R's doubles hold 2^53 exactly: integer64 of bit64 holds them all"
    )
  }
}

# True for each number below 0, and for NA, which has the bits of -2^63.
integer64_signs <- function(x) {
  high <- readBin(writeBin(as.vector(unclass(x)), raw(), endian = "little"), "integer", 2L * length(x), endian = "little")
  high <- high[c(FALSE, TRUE)]
  is.na(high) | high < 0
}

first_at <- function(is_wrong) paste("element", which(is_wrong)[1L], "of", length(is_wrong))

# ---- Arrays ----

# Elements of an array with the last index fastest.
c_order <- function(x) if (length(dim(x)) > 1L) keep_class(aperm(x), x) else x

# aperm() and `[` drop the class that marks 64-bit integers.
keep_class <- function(made, from) {
  if (inherits(from, "integer64")) class(made) <- "integer64"
  made
}

# An npproto.ndarray of a vector or array: numbers, flags, text, factors, dates or times.
ndarray <- function(x, what, shape = if (is.null(dim(x))) length(x) else dim(x)) {
  made <- plain_array(x, what)
  if (made$dtype != "text") {
    size <- made$size
    data <- element_bytes(c_order(made$x), made$as)
    dtype <- made$dtype
  } else {
    points <- lapply(utf8(as.vector(c_order(made$x)), what), utf8ToInt)
    width <- max(1L, lengths(points))
    dtype <- paste0("<U", width)
    size <- 4 * width
    data <- writeBin(as.integer(unlist(lapply(points, function(p) c(p, integer(width - length(p)))))), raw(), endian = "little")
  }
  strides <- size * rev(cumprod(c(1, rev(shape)[-length(shape)])))
  c(
    field(1L, data), text_field(2L, dtype), field(3L, varints(shape)),
    field(4L, varints(if (length(shape)) strides)), text_field(5L, "C")
  )
}

# An array as NumPy names and lays out its elements: list(x, dtype, as, size).
plain_array <- function(x, what) {
  of <- function(x, dtype, as = dtype) {
    if (dtype != "text") check_elements(x, as, what)
    list(x = x, dtype = dtype, as = as, size = if (dtype != "text") SIZES[[as]])
  }
  in_shape <- function(values) if (is.null(dim(x))) values else array(values, dim(x))
  if (inherits(x, "Date")) return(of(in_shape(floor(as.double(x))), "datetime64[D]", "int64"))
  if (inherits(x, "POSIXct")) return(of(in_shape(round(as.double(x) * 1e6)), "datetime64[us]", "int64"))
  if (is.factor(x)) return(of(in_shape(as.character(x)), "text"))
  if (is.character(x)) return(of(x, "text"))
  if (inherits(x, "integer64")) return(of(x, "int64"))
  if (is.logical(x)) return(of(x, "bool"))
  if (is.integer(x)) return(of(x, if (anyNA(x)) "float64" else "int32"))
  if (is.double(x) && !is.object(x)) return(of(x, "float64"))
  fail("unsupported_dtype", what, " is ", class(x)[1L], ": numbers, logical, text, factors, dates and times can be stored",
    fields = list(variable = what)
  )
}
