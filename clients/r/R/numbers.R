# Bytes as numbers of R, whose types are fewer: int64, uint64 and uint32 become doubles, which are exact up to 2^53.

# Bytes of an element; dtypes of variables and sampler stats but str.
SIZES <- c(
  bool = 1, int8 = 1, uint8 = 1, int16 = 2, uint16 = 2, int32 = 4, uint32 = 4, int64 = 8, uint64 = 8, float32 = 4,
  float64 = 8
)

# The elements of x[from..to], which are little-endian: logical of bool, integer where R's integers have room, else
# double. Bits of float64 are kept, those of NaN as well. `open` is a connection to x, where somebody has one.
numbers_of <- function(x, from, to, dtype, endian = "little", open = NULL) {
  size <- SIZES[[dtype]]
  n <- (to - from + 1) / size
  if (n != trunc(n)) damaged("elements of ", dtype, " that are cut off")
  bytes <- part_of(x, from, to, open)
  read <- function(what, size, signed = TRUE) readBin(bytes, what, n, size, signed, endian)
  switch(dtype,
    float64 = read("double", 8L),
    float32 = singles_of(bytes, endian),
    bool = bytes != as.raw(0),
    int8 = read("integer", 1L),
    uint8 = as.integer(bytes),
    int16 = read("integer", 2L),
    uint16 = read("integer", 2L, FALSE),
    int32 = int32_of(read("integer", 4L)),
    uint32 = from_word(read("integer", 4L)),
    int64 = ,
    uint64 = wide_of(readBin(bytes, "integer", 2 * n, 4L, TRUE, endian), dtype, endian)
  )
}

# x[from..to]. A connection gives large parts in a seventh of the time that an index takes.
part_of <- function(x, from, to, open = NULL) {
  if (from == 1 && to == length(x)) return(x)
  if (to < from) return(raw())
  if (is.null(open)) return(x[from:to])
  seek(open, from - 1)
  readBin(open, "raw", to - from + 1)
}

# Numbers of float32. The processor's conversion makes each NaN a quiet one; here it keeps its payload, in the upper bits of
# that of a double, from where `float32_bytes` takes it again.
singles_of <- function(bytes, endian) {
  values <- readBin(bytes, "double", length(bytes) / 4, 4L, endian = endian)
  nan <- which(is.nan(values) | is.na(values))
  if (!length(nan)) return(values)
  bits <- from_word(readBin(bytes[outer(1:4, 4 * (nan - 1), `+`)], "integer", length(nan), 4L, endian = endian))
  payload <- bits %% 2^23
  high <- payload %/% 8 + 2047 * 2^20 + ifelse(bits >= 2^31, 2^31, 0)
  words <- words(c(rbind(payload %% 8 * 2^29, high)))
  values[nan] <- readBin(writeBin(words, raw(), endian = "little"), "double", length(nan), endian = "little")
  values
}

# -2^31 is NA among R's integers: a vector with it becomes one of doubles.
int32_of <- function(values) {
  if (!anyNA(values)) return(values)
  values <- as.double(values)
  values[is.na(values)] <- -2^31
  values
}

# Words of 32 bits without a sign, out of R's integers.
from_word <- function(words) {
  values <- as.double(words)
  values[is.na(values)] <- 2^31
  negative <- values < 0
  values[negative] <- values[negative] + 2^32
  values
}

# Integers of 64 bits, out of their two words.
wide_of <- function(words, dtype, endian) {
  n <- length(words) / 2
  first <- seq.int(1L, by = 2L, length.out = n)
  low <- words[if (endian == "little") first else first + 1L]
  high <- words[if (endian == "little") first + 1L else first]
  # Most have their sign alone in the upper word.
  if (!anyNA(low) && !anyNA(high) && all(high == -(low < 0L))) {
    if (dtype == "int64" || !any(high < 0L)) return(as.double(low))
  }
  upper <- from_word(high)
  if (dtype == "int64") upper <- ifelse(upper >= 2^31, upper - 2^32, upper)
  values <- upper * 2^32 + from_word(low)
  if (any(abs(values) >= 2^53)) warn_rounded(dtype)
  values
}

warn_rounded <- function(dtype) {
  warning(structure(class = c("mcb_rounded", "warning", "condition"), list(
    message = paste0(dtype, " values of 2^53 or more were rounded: R has no integers of 64 bits"), call = NULL
  )))
}
