# Protobuf's wire format: fields of a message, and the values that they hold.

# The fields of a message that lies in x[from..to], in their order: list(number, wire, from, to, low, high). `from` and
# `to` are the bytes of a field of wire type 1, 2 or 5; `low` and `high` are a varint's lower 49 and upper 15 bits,
# since a double holds no 64. Groups are skipped.
fields_of <- function(x, from = 1, to = length(x)) {
  groups <- numeric()
  # Vectors grow by an element at a time: R keeps room behind those that do.
  numbers <- wires <- starts <- ends <- lows <- highs <- numeric()
  at <- from
  while (at <= to) {
    # Most tags are of one byte, and so are most lengths: a call of varint() takes as long as all else of a field.
    tag <- as.integer(x[[at]])
    at <- at + 1
    if (tag >= 128L) {
      long <- varint(x, at - 1, to)
      if (long[2] > 0 || long[1] >= 2^32) damaged("a tag beyond 32 bits")
      tag <- long[1]
      at <- long[3]
    }
    number <- tag %/% 8
    wire <- tag %% 8
    if (number == 0) damaged("field number 0")
    start <- end <- low <- high <- 0
    if (wire == 0) {
      value <- varint(x, at, to)
      low <- value[1]
      high <- value[2]
      at <- value[3]
    } else if (wire == 3) {
      groups <- c(groups, number)
    } else if (wire == 4) {
      groups <- without_group(groups, number)
      next
    } else {
      size <- if (wire == 2 && at <= to) as.integer(x[[at]]) else 128L
      start <- at + 1
      if (size >= 128L) {
        long <- if (wire == 2) length_of(x, at, to) else fixed_of(wire, at)
        start <- long[1]
        size <- long[2]
      }
      if (size > to - start + 1) damaged("a field that is longer than its message")
      at <- start + size
      end <- at - 1
    }
    if (length(groups)) next
    used <- length(numbers) + 1L
    numbers[used] <- number
    wires[used] <- wire
    starts[used] <- start
    ends[used] <- end
    lows[used] <- low
    highs[used] <- high
  }
  if (length(groups)) damaged("a group without its end")
  list(number = numbers, wire = wires, from = starts, to = ends, low = lows, high = highs)
}

# The groups that are open behind the end of this one.
without_group <- function(groups, number) {
  if (!length(groups) || groups[length(groups)] != number) damaged("the end of a group that has not begun")
  groups[-length(groups)]
}

# c(where the bytes begin, how many there are) of a field of fixed length.
fixed_of <- function(wire, at) {
  if (wire == 1) c(at, 8) else if (wire == 5) c(at, 4) else damaged("wire type ", wire)
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
  sizes <- to - from + 1
  bytes <- x[sequence(sizes, from)]
  if (any(bytes == as.raw(0))) fail("unsupported_value", "a string holds U+0000, which R cannot hold")
  texts <- readChar(bytes, sizes, useBytes = TRUE)
  Encoding(texts) <- "UTF-8"
  if (!all(validUTF8(texts))) damaged("a string is no UTF-8")
  texts
}
