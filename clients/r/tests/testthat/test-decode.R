# Messages that the client reads, against files of the reference implementations.

golden <- function(...) in_checkout("conformance", "golden", "files", ...)
bytes_of <- function(path) readBin(path, "raw", file.size(path))
files_of <- function(folder, pattern) list.files(golden(folder), pattern, full.names = TRUE)
without <- function(paths, names) paths[!basename(paths) %in% names]
facts_of <- function(path) jsonlite::read_json(sub("[.]bin$", ".json", path))

# Hex of bytes as raw.
unhex <- function(text) {
  if (!nzchar(text)) return(raw())
  as.raw(strtoi(substring(text, seq(1, nchar(text), 2), seq(2, nchar(text), 2)), 16L))
}

# Files whose strings have U+0000, and the one of a batch with 2^32 draws, which no server sends.
BEYOND_R <- c("names.bin", "strings.bin", "largest-numbers.bin")

# Compares the bytes of a column, written again, with those of the file: the values have kept every bit that R can have.
expect_column <- function(column, facts, path) {
  expect_identical(column$dtype, facts$dtype, info = path)
  where <- paste(path, facts$name)
  if (facts$dtype %in% c("str", "")) return(expect_identical(as.list(column$values), facts$strings, info = where))
  data <- unhex(facts$data)
  written <- switch(facts$dtype,
    float64 = writeBin(column$values, raw(), 8, endian = "little"),
    float32 = writeBin(column$values, raw(), 4, endian = "little"),
    bool = as.raw(column$values),
    int8 = , uint8 = writeBin(as.integer(column$values), raw(), 1),
    int16 = , uint16 = writeBin(as.integer(column$values), raw(), 2, endian = "little"),
    int32 = writeBin(suppressWarnings(as.integer(column$values)), raw(), 4, endian = "little")
  )
  if (!is.null(written)) expect_identical(written, data, info = where)
  shapes <- unlist(lapply(column$shapes, function(shape) c(length(shape), shape)))
  expect_identical(as.numeric(shapes), as.numeric(unlist(facts$shapes)), info = where)
}

# The array that a path of the file names, such as "data.y".
array_at <- function(meta, key) {
  name <- sub("^[^.]*[.]", "", key)
  switch(sub("[.].*$", "", key),
    coordinates = meta$coords[[name]], data = meta$data[[name]]$value, attributes = meta$attributes[[name]]
  )
}

expect_array <- function(meta, key, facts, path) {
  where <- paste(path, key)
  array <- array_at(meta, key)
  shape <- as.integer(unlist(facts$shape))
  if (inherits(array, "mcb_unreadable")) return(expect_match(attr(array, "dtype"), "datetime64\\[M\\]", info = where))
  if (length(shape) > 1L) expect_identical(dim(array), shape, info = where)
  flat <- as.vector(if (length(shape) > 1L) aperm(array, rev(seq_along(shape))) else array)
  expect_length(flat, length(facts$values))
  values <- unlist(facts$values)
  if (grepl("float64$|f8$", facts$dtype)) {
    big <- startsWith(facts$dtype, ">")
    expected <- unlist(lapply(values, function(hex) readBin(unhex(hex), "double", endian = "little")))
    expect_identical(writeBin(as.double(flat), raw()), writeBin(as.double(expected), raw()), info = paste(where, big))
  } else if (grepl("int|i[1248]$|u[1248]$", facts$dtype)) {
    expect_equal(as.numeric(flat), as.numeric(values), info = where)
  } else if (grepl("bool|U", facts$dtype)) {
    has_nul <- is.na(flat)
    expect_identical(as.list(flat[!has_nul]), as.list(values[!has_nul]), info = where)
  } else if (grepl("datetime64\\[(ns|us|ms|s)\\]", facts$dtype)) {
    unit <- UNITS[[sub(".*\\[(.*)\\]", "\\1", facts$dtype)]]
    ticks <- as.numeric(values)
    ticks[values == "-9223372036854775808"] <- NA
    expect_equal(as.numeric(flat), ticks * unit, info = where)
  } else if (facts$dtype == "float16") {
    expect_identical(flat, c(1, 0, 3, 0, 5, 6), info = where)
  } else if (startsWith(facts$dtype, "complex")) {
    expect_identical(flat, as.complex(c(1, 0, 3, 0, 5, 6)), info = where)
  }
}

test_that("batches have the columns of their JSON", {
  for (path in without(files_of("draws", "bin$"), BEYOND_R)) {
    facts <- facts_of(path)
    batch <- suppressWarnings(decode_batch(bytes_of(path)), classes = "mcb_rounded")
    expect_identical(batch$count, as.numeric(facts$count), info = path)
    expect_equal(batch$start, as.numeric(facts$start), info = path)
    expect_equal(batch$step, if (facts$step == "0") 1 else as.numeric(facts$step), info = path)
    for (kind in c("draws", "stats")) {
      expect_identical(unname(lapply(batch[[kind]], `[[`, "name")), lapply(facts[[kind]], `[[`, "name"), info = path)
      for (i in seq_along(facts[[kind]])) expect_column(batch[[kind]][[i]], facts[[kind]][[i]], path)
    }
  }
})

test_that("strings with U+0000 are refused, never shortened", {
  expect_error(decode_batch(bytes_of(golden("draws", "strings.bin"))), "`s` holds", class = "mcb_unsupported_value")
  expect_error(decode_batch(bytes_of(golden("draws", "names.bin"))), class = "mcb_unsupported_value")
  expect_error(decode_batch(bytes_of(golden("draws", "largest-numbers.bin"))), class = "mcb_invalid_answer")
})

test_that("what is no message is refused", {
  for (path in files_of("malformed", "^draws-.*bin$")) {
    expect_error(decode_batch(bytes_of(path)), class = "mcb_invalid_answer", info = path)
  }
  for (path in files_of("malformed", "^run-.*bin$")) {
    expect_error(decode_meta(bytes_of(path)), class = "mcb_invalid_answer", info = path)
  }
})

test_that("RunMeta has the value of its canonical JSON", {
  for (path in without(files_of("runmeta", "bin$"), "names.bin")) {
    facts <- facts_of(path)
    meta <- suppressWarnings(decode_meta(bytes_of(path)))
    canonical <- facts$canonical
    name_of <- function(member) if (is.null(member$name)) "" else member$name
    names_in <- function(list) as.character(unlist(lapply(list, name_of)))
    expect_identical(meta$rid, if (is.null(canonical$rid)) "" else canonical$rid, info = path)
    expect_identical(names(meta$variables), names_in(canonical$variables), info = path)
    expect_identical(names(meta$coords), names_in(canonical$coordinates), info = path)
    expect_setequal(as.character(names(meta$attributes)), as.character(names(canonical$attributes)))
    for (i in seq_along(canonical$variables)) {
      expected <- canonical$variables[[i]]
      got <- meta$variables[[i]]
      expect_identical(got$dtype, expected$dtype, info = path)
      if (!isTRUE(expected$undefinedNdim)) expect_identical(got$shape, as.numeric(unlist(expected$shape)), info = path)
      expect_identical(is.null(got$shape), isTRUE(expected$undefinedNdim), info = path)
      expect_identical(got$dims, as.character(unlist(expected$dims)), info = path)
    }
    for (key in names(facts$arrays)) expect_array(meta, key, facts$arrays[[key]], path)
  }
})

test_that("attributes keep kinds, bits and nesting", {
  scalars <- suppressWarnings(decode_meta(bytes_of(golden("runmeta", "attributes-scalar.bin"))))$attributes
  expect_identical(scalars$`2^53+2`, 2^53 + 2)
  expect_identical(1 / scalars$`minus zero`, -Inf)
  expect_identical(scalars$smallest, 2^-1074)
  expect_true(is.nan(scalars$nan) && !is.na(scalars$text))
  expect_null(scalars$null)
  expect_identical(scalars$NUL, NA_character_)
  payload <- decode_meta(bytes_of(golden("runmeta", "attributes-nan-payload.bin")))$attributes$nan
  negative <- decode_meta(bytes_of(golden("runmeta", "attributes-nan-negative.bin")))$attributes$nan
  expect_false(identical(writeBin(payload, raw()), writeBin(negative, raw())))
  nested <- decode_meta(bytes_of(golden("runmeta", "attributes-nested.bin")))$attributes
  expect_identical(nested$list[[4]], "\u03bc")
  expect_identical(nested$struct$deep$deeper$deepest$big, 1e300)
  times <- decode_meta(bytes_of(golden("runmeta", "attributes-time.bin")))$attributes
  expect_equal(as.numeric(times$`timestamp: just before 1970`), -0.75)
  expect_identical(as.numeric(times$`duration: negative`), -1.5)
})

test_that("an array that is none leaves the run readable", {
  text <- function(field, string) c(as.raw(c(8 * field + 2, nchar(string))), charToRaw(string))
  message <- function(field, ...) {
    body <- c(...)
    c(as.raw(c(8 * field + 2, length(body))), body)
  }
  array <- function(dtype, bytes) message(2, text(2, dtype), as.raw(c(0x1a, 1, 2)), message(1, as.raw(bytes)))
  for (given in list(array("float64", 1:15), array("float64", 1:8), array("<U1", 1:7), array("object", 1:16))) {
    meta <- decode_meta(message(4, text(1, "city"), given))
    expect_s3_class(meta$coords$city, "mcb_unreadable")
  }
  expect_output(print(meta$coords$city), "object, which R cannot read")
})

test_that("slices are Python's", {
  rows <- jsonlite::read_json(golden("slices.json"))$rows
  # A double holds no more than 2^53 exactly.
  is_exact <- function(number) is.null(number) || abs(as.numeric(number)) < 2^53
  number <- function(text) if (!is.null(text)) as.numeric(text)
  tried <- 0
  for (row in rows) {
    if (!all(vapply(row[2:4], is_exact, NA)) || !is_exact(row[[1]])) next
    slice <- slice_of(row[[1]], number(row[[2]]), number(row[[3]]), number(row[[4]]))
    tried <- tried + 1
    is_same <- slice$count == row[[6]] && (slice$count == 0 || slice$first == row[[5]])
    if (!is_same) fail(paste("slice", jsonlite::toJSON(row)))
  }
  expect_gt(tried, 500)
})

test_that("numbers of 64 and 32 bits are exact, or warn", {
  words <- function(...) as.raw(c(...))
  expect_identical(numbers_of(words(rep(255, 8)), 1, 8, "int64"), -1)
  expect_identical(numbers_of(words(0, 0, 0, 128, 0, 0, 0, 0), 1, 8, "int64"), 2^31)
  expect_identical(numbers_of(words(0, 0, 0, 128, 255, 255, 255, 255), 1, 8, "int64"), -2^31)
  expect_identical(numbers_of(words(255, 255, 255, 255, 255, 255, 31, 0), 1, 8, "uint64"), 2^53 - 1)
  expect_warning(value <- numbers_of(words(1, 0, 0, 0, 0, 0, 32, 0), 1, 8, "int64"), class = "mcb_rounded")
  expect_identical(value, 2^53)
  expect_identical(suppressWarnings(numbers_of(words(rep(255, 8)), 1, 8, "uint64")), 2^64)
  expect_identical(numbers_of(words(0, 0, 0, 128, 255, 255, 255, 255), 1, 8, "uint32"), c(2^31, 2^32 - 1))
  expect_identical(numbers_of(words(0, 0, 0, 128, 1, 0, 0, 0), 1, 8, "int32"), c(-2^31, 1))
  expect_identical(numbers_of(words(1, 0, 0, 0), 1, 4, "int32"), 1L)
})

test_that("an array whose dtype is damaged, or whose texts are beyond Unicode, leaves the run readable", {
  array_as <- function(points, dtype) {
    x <- c(field(1L, writeBin(points, raw(), endian = "little")), text_field(2L, dtype), field(3L, varints(length(points))))
    decode_array(x, 1, length(x))
  }
  expect_s3_class(suppressWarnings(array_as(c(65L, 66L), "<U99999999999")), "mcb_unreadable")
  for (beyond in list(1114112L, -5L)) expect_s3_class(array_as(c(65L, beyond), "<U1"), "mcb_unreadable")
})
