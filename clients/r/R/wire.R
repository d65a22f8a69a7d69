# Protobuf's wire format: fields of a message, and the values that they hold.

# The fields of a message that lies in x[from..to], in their order: list(number, wire, from, to, low, high). `from` and
# `to` are the bytes of a field of wire type 1, 2 or 5; `low` and `high` are a varint's lower 49 and upper 15 bits,
# since a double holds no 64. Groups are skipped.
fields_of <- function(x, from = 1, to = length(x)) {
  size <- 16L
  out <- matrix(0, 6L, size)
  used <- 0L
  groups <- numeric()
  at <- from
  while (at <= to) {
    tag <- varint(x, at, to)
    if (tag[2] > 0 || tag[1] >= 2^32) damaged("a tag beyond 32 bits")
    at <- tag[3]
    number <- tag[1] %/% 8
    wire <- tag[1] %% 8
    if (number == 0) damaged("field number 0")
    field <- c(number, wire, 0, 0, 0, 0)
    if (wire == 0) {
      value <- varint(x, at, to)
      field[5:6] <- value[1:2]
      at <- value[3]
    } else if (wire == 3) {
      groups <- c(groups, number)
    } else if (wire == 4) {
      if (!length(groups) || groups[length(groups)] != number) damaged("the end of a group that has not begun")
      groups <- groups[-length(groups)]
      next
    } else {
      long <- c(at, if (wire == 1) 8 else if (wire == 5) 4 else NA)
      if (wire == 2) long <- length_of(x, at, to)
      if (is.na(long[2])) damaged("wire type ", wire)
      if (long[2] > to - long[1] + 1) damaged("a field that is longer than its message")
      field[3:4] <- c(long[1], long[1] + long[2] - 1)
      at <- long[1] + long[2]
    }
    if (length(groups)) next
    used <- used + 1L
    if (used > size) {
      out <- cbind(out, matrix(0, 6L, size))
      size <- 2L * size
    }
    out[, used] <- field
  }
  if (length(groups)) damaged("a group without its end")
  out <- out[, seq_len(used), drop = FALSE]
  list(number = out[1, ], wire = out[2, ], from = out[3, ], to = out[4, ], low = out[5, ], high = out[6, ])
}

damaged <- function(...) fail("invalid_answer", "no protobuf: ", ...)

# c(where the bytes begin, how many there are) of a field with a length.
length_of <- function(x, at, to) {
  value <- varint(x, at, to)
  c(value[3], if (value[2] > 0) Inf else value[1])
}

# c(lower 49 bits, upper 15 bits, index behind) of the varint at x[at].
varint <- function(x, at, to) {
  low <- 0
  high <- 0
  for (i in 0:9) {
    if (at + i > to) damaged("a varint is cut off")
    byte <- as.integer(x[at + i])
    bits <- bitwAnd(byte, 127L)
    if (i < 7L) low <- low + bits * 128^i else high <- high + bits * 128^(i - 7L)
    if (byte < 128L) return(c(low, high %% 2^15, at + i + 1))
  }
  damaged("a varint of more than 10 bytes")
}

# Varints as numbers, which are exact up to 2^53.
unsigned <- function(low, high) high * 2^49 + low
signed <- function(low, high) ifelse(high >= 2^14, (high - 2^15) * 2^49 + low, high * 2^49 + low)

# Numbers of zigzag: 0, -1, 1, -2 of 0, 1, 2, 3.
zigzag <- function(low, high) {
  half <- high * 2^48 + low %/% 2
  ifelse(low %% 2 == 1, -half - 1, half)
}

# list(low, high) of the packed varints in x[from..to].
packed <- function(x, from, to) {
  if (to < from) return(list(low = numeric(), high = numeric()))
  bytes <- as.integer(x[from:to])
  ends <- which(bytes < 128L)
  if (!length(ends) || ends[length(ends)] != length(bytes)) damaged("packed numbers end inside a varint")
  starts <- c(1L, ends[-length(ends)] + 1L)
  sizes <- ends - starts + 1L
  if (any(sizes > 10L)) damaged("a varint of more than 10 bytes")
  low <- numeric(length(ends))
  high <- numeric(length(ends))
  for (i in seq_len(max(sizes)) - 1L) {
    has <- which(sizes > i)
    bits <- bitwAnd(bytes[starts[has] + i], 127L)
    if (i < 7L) low[has] <- low[has] + bits * 128^i else high[has] <- high[has] + bits * 128^(i - 7L)
  }
  list(low = low, high = high %% 2^15)
}

# ---- Values of the field `n` of a message ----

# Indices of the fields with this number and one of these wire types.
picked <- function(fields, n, wires) which(fields$number == n & fields$wire %in% wires)

# The last varint; 0 where there is none.
last_number <- function(fields, n, as = unsigned) {
  at <- picked(fields, n, 0)
  if (!length(at)) return(0)
  at <- at[length(at)]
  as(fields$low[at], fields$high[at])
}

# The last string; "" where there is none.
last_text <- function(fields, n, x) {
  at <- picked(fields, n, 2)
  # All of them are looked at: a message with one that is no UTF-8 is none.
  texts <- texts_at(x, fields$from[at], fields$to[at])
  if (length(at)) texts[length(at)] else ""
}

# c(from, to) of the last bytes; empty where there are none.
last_bytes <- function(fields, n) {
  at <- picked(fields, n, 2)
  if (!length(at)) return(c(1, 0))
  at <- at[length(at)]
  c(fields$from[at], fields$to[at])
}

# All varints, packed or not.
all_numbers <- function(fields, n, x, as = unsigned) {
  at <- picked(fields, n, c(0, 2))
  if (!length(at)) return(numeric())
  if (all(fields$wire[at] == 0)) return(as(fields$low[at], fields$high[at]))
  unlist(lapply(at, function(i) {
    if (fields$wire[i] == 0) return(as(fields$low[i], fields$high[i]))
    many <- packed(x, fields$from[i], fields$to[i])
    as(many$low, many$high)
  }))
}

all_texts <- function(fields, n, x) {
  at <- picked(fields, n, 2)
  texts_at(x, fields$from[at], fields$to[at])
}

# Each message of the field, read by `read(x, from, to)`.
all_messages <- function(fields, n, x, read) {
  lapply(picked(fields, n, 2), function(i) read(x, fields$from[i], fields$to[i]))
}

# Strings of ranges of bytes. R has no string with U+0000, and gives none in its place.
texts_at <- function(x, from, to) {
  texts <- vapply(seq_along(from), function(i) {
    if (to[i] < from[i]) return("")
    bytes <- x[from[i]:to[i]]
    if (any(bytes == as.raw(0))) fail("unsupported_value", "a string holds U+0000, which R cannot hold")
    rawToChar(bytes)
  }, "")
  Encoding(texts) <- "UTF-8"
  if (!all(validUTF8(texts))) damaged("a string is no UTF-8")
  texts
}
