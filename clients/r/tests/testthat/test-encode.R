# Bytes of what is written, without a server: elements, varints, RunMeta, and the golden files read back.

bits_of <- function(x) writeBin(as.double(x), raw(), endian = "little")

# Doubles of any 64 bits, among them NaN of all kinds.
any_doubles <- function(n) {
  bytes <- matrix(as.raw(sample.int(256L, 8L * n, replace = TRUE) - 1L), 8L)
  odd <- seq_len(n %/% 4L)
  bytes[8L, odd] <- as.raw(sample(c(127L, 255L), length(odd), replace = TRUE))
  bytes[7L, odd] <- as.raw(sample(240:255, length(odd), replace = TRUE))
  readBin(as.vector(bytes), "double", n, endian = "little")
}

test_that("varints are those that are read", {
  x <- c(0, 1, 127, 128, 16383, 16384, 2^31, 2^32, 2^35 - 1, 2^49 - 1, 2^49, 2^49 + 1, 2^53)
  message <- c(varints(10), varints(length(varints(x))), varints(x))
  expect_identical(all_numbers(fields_of(message), 1, message), x)
})

test_that("elements of every dtype have the bytes that are read", {
  set.seed(19)
  ends <- list(
    bool = c(TRUE, FALSE), int8 = c(-128, -1, 127), uint8 = c(0, 255), int16 = c(-2^15, 2^15 - 1), uint16 = c(0, 2^16 - 1),
    int32 = c(-2^31, -1, 0, 2^31 - 1), uint32 = c(0, 2^31, 2^32 - 1), int64 = c(-2^53 + 1, -2^32, -2^31, -1, 0, 2^31, 2^53 - 1),
    uint64 = c(0, 2^31, 2^32, 2^53 - 1), float64 = any_doubles(1000), float32 = c(1.5, -0, Inf, -Inf, 2^-149)
  )
  for (dtype in names(ends)) {
    bytes <- element_bytes(ends[[dtype]], dtype)
    expect_length(bytes, length(ends[[dtype]]) * SIZES[[dtype]])
    read <- numbers_of(bytes, 1, length(bytes), dtype)
    expect_identical(bits_of(read), bits_of(ends[[dtype]]), info = dtype)
  }
})

test_that("float32 keeps every one of its bits, those of NaN as well", {
  set.seed(7)
  bytes <- as.raw(sample.int(256L, 4e4, replace = TRUE) - 1L)
  nan <- seq(4L, 2e4, by = 4L)
  bytes[nan] <- as.raw(sample(c(127L, 255L), length(nan), replace = TRUE))
  bytes[nan - 1L] <- as.raw(sample(128:255, length(nan), replace = TRUE))
  expect_identical(element_bytes(singles_of(bytes, "little"), "float32"), bytes)
})

test_that("what a dtype cannot hold is refused, and named", {
  refused <- function(x, dtype) {
    error <- expect_error(check_elements(x, dtype, "`x`", "x"), class = "mcb_dtype_mismatch")
    expect_identical(error$fields$variable, "x")
    conditionMessage(error)
  }
  expect_match(refused(c(TRUE, NA), "bool"), "NA.*element 2 of 2")
  expect_match(refused(c(1L, NA), "int32"), "NA")
  expect_match(refused(2^53 + 2, "int64"), "2\\^53")
  expect_match(refused(-1, "uint64"), "range")
  expect_match(refused(128, "int8"), "range")
  expect_match(refused(0.5, "int16"), "whole")
  expect_match(refused(1e39, "float32"), "range")
  expect_match(refused(FLOAT32_END, "float32"), "range")
  expect_match(refused("1", "float64"), "numeric")
  expect_match(refused(1, "bool"), "logical")
  expect_match(refused(factor("a"), "int32"), "factor")
  expect_match(refused(1, "str"), "character")
  expect_error(utf8(c("a", NA), "x"), class = "mcb_dtype_mismatch")
  broken <- rawToChar(as.raw(255))
  Encoding(broken) <- "UTF-8"
  expect_error(utf8(broken, "x"), class = "mcb_dtype_mismatch")
  Encoding(broken) <- "bytes"
  expect_error(utf8(broken, "x"), class = "mcb_dtype_mismatch")
  expect_silent(check_elements(c(2^24 + 1, NA, NaN, Inf), "float32", "x"))
})

test_that("64-bit integers of bit64 go as they are", {
  bits <- as.raw(c(255, 255, 255, 255, 255, 255, 255, 127, 0, 0, 0, 0, 0, 0, 0, 128))
  x <- structure(readBin(bits, "double", 2L, endian = "little"), class = "integer64")
  check_elements(x, "int64", "x")
  expect_identical(element_bytes(x, "int64"), bits)
  expect_error(check_elements(x, "uint64", "x"), class = "mcb_dtype_mismatch")
  expect_error(check_elements(x, "float64", "x"), class = "mcb_dtype_mismatch")
})

test_that("RunMeta says what was given", {
  variables <- as_variables(list(mu = integer(), theta = c(2, 3), k = "int64", r = mcb_variable(c(-1, 2)), u = mcb_variable(NULL, "str")),
    "variables", list(theta = c("row", "col")))
  attributes <- list(
    none = NULL, one = 1.5, text = "\u03bc", flag = TRUE, nested = list(a = 1, b = list("x", NULL, c(1, 2))), numbers = c(NaN, -0, 1),
    time = as.POSIXct("1969-12-31 23:59:58.5", tz = "UTC"), span = as.difftime(-90.5, units = "secs"), empty = list()
  )
  meta <- decode_meta(run_meta(
    variables, as_variables(c("lp__", "energy__"), "stats"), list(row = c("a", "\U1D538\u03bc"), day = as.Date("2026-11-30") - 0:1, f = factor(c("y", "x"))),
    list(y = c("row", "col")), list(y = matrix(1:6 + 0.5, 2), n = 3L, labels = array(c("a", "b", "", "d"), c(2, 2))), "y", attributes
  ))
  expect_named(meta$variables, c("mu", "theta", "k", "r", "u"))
  expect_identical(meta$variables$theta$shape, c(2, 3))
  expect_identical(meta$variables$theta$dims, c("row", "col"))
  expect_identical(meta$variables$r$shape, c(-1, 2))
  expect_null(meta$variables$u$shape)
  expect_named(meta$stats, c("lp__", "energy__"))
  expect_identical(meta$coords, list(row = c("a", "\U1D538\u03bc"), day = as.Date("2026-11-30") - 0:1, f = c("y", "x")))
  expect_identical(meta$data$y$value, matrix(1:6 + 0.5, 2))
  expect_identical(meta$data$n$value, 3L)
  expect_identical(meta$data$labels$value, array(c("a", "b", "", "d"), c(2, 2)))
  expect_identical(vapply(meta$data, `[[`, NA, "is_observed"), c(y = TRUE, n = FALSE, labels = FALSE))
  expect_identical(bits_of(meta$attributes$numbers), bits_of(attributes$numbers))
  expect_identical(meta$attributes$nested, list(a = 1, b = list("x", NULL, list(1, 2))))
  expect_equal(meta$attributes[c("none", "one", "text", "flag", "time", "span")], attributes[c("none", "one", "text", "flag", "time", "span")])
})

test_that("arguments of a registration that do not fit are refused", {
  expect_error(mcb_variable("a"), class = "mcb_invalid_argument")
  expect_error(mcb_variable(-2), class = "mcb_invalid_argument")
  expect_error(mcb_variable(2, dims = c("a", "b")), class = "mcb_invalid_argument")
  expect_error(mcb_variable(dtype = "complex"), class = "mcb_unsupported_dtype")
  expect_error(as_variables(list(1, 2), "variables"), class = "mcb_invalid_argument")
  expect_error(as_variables(list(a = 1, a = 2), "variables"), class = "mcb_invalid_argument")
  client <- mcb_client("http://127.0.0.1:1")
  expect_error(mcb_init_run(client, variables = "mu", dims = list(nu = "a")), class = "mcb_invalid_argument")
  expect_error(mcb_init_run(client, variables = "mu", observed = "y"), class = "mcb_invalid_argument")
  expect_error(mcb_init_run(client, "a/b", variables = "mu"), class = "mcb_invalid_parameter")
  expect_error(mcb_init_run(client, meta = "text"), class = "mcb_invalid_argument")
  expect_output(print(mcb_variable(c(2, 3), "int64", c("a", "b"))), "int64 [2, 3] (a, b)", fixed = TRUE)
})

test_that("pieces of a block are as large as a request may be, and none is empty", {
  run <- list(variables = list(x = list(shape = numeric(), dtype = "float64", is_rigid = TRUE)), stats = list())
  block <- list(count = 10, draws = list(x = 1:10 + 0), stats = list())
  expect_identical(unname(pieces_of(block, run, most_bytes = 24)), cbind(c(1, 4, 7, 10), c(3, 6, 9, 10)))
  expect_identical(unname(pieces_of(block, run, most_bytes = 1)), cbind(1:10 + 0, 1:10 + 0))
  set.seed(3)
  run$variables$x <- list(shape = -1, dtype = "str", is_rigid = FALSE)
  block$draws$x <- lapply(sample(0:9, 200, replace = TRUE), function(n) rep("ab", n))
  block$count <- 200
  for (most in c(1, 30, 100, 1e6)) {
    pieces <- pieces_of(block, run, most_bytes = most, most_draws = 50)
    expect_identical(unlist(Map(seq, pieces[, 1], pieces[, 2])) + 0, 1:200 + 0)
    sizes <- vapply(seq_len(nrow(pieces)), function(i) {
      sum(draw_bytes(block$draws$x, run$variables$x)[pieces[i, 1]:pieces[i, 2]])
    }, 0)
    expect_true(all(sizes <= most | pieces[, 1] == pieces[, 2]))
    expect_true(all(pieces[, 2] - pieces[, 1] < 50))
  }
})

test_that("random numbers of the client leave those of the script alone", {
  set.seed(5)
  expected <- runif(2)
  set.seed(5)
  first <- runif(1)
  expect_false(identical(random(3), random(3)))
  expect_identical(c(first, runif(1)), expected)
})

test_that("times before 1970, and those that round up to a second, are valid", {
  parts <- function(message) {
    fields <- fields_of(message)
    c(last_number(fields, 1, signed), last_number(fields, 2, signed))
  }
  expect_identical(parts(seconds_message(-1.5, floor)), c(-2, 5e8))
  expect_identical(parts(seconds_message(-1e-9, floor)), c(0, 0))
  expect_identical(parts(seconds_message(1.9999999, floor)), c(2, 0))
  expect_identical(parts(seconds_message(-1.5, trunc)), c(-1, -5e8))
  expect_identical(parts(seconds_message(-1.9999999, trunc)), c(-2, 0))
})

test_that("texts put together are those put one by one", {
  one_by_one <- function(texts) as.raw(unlist(lapply(texts, function(text) text_field(5L, text, is_kept = TRUE))))
  for (texts in list(character(), "", c("", "a"), c("\u03bc", strrep("x", 127), strrep("\u03bc", 64), strrep("x", 2^14), "", "b"))) {
    bytes <- text_fields(5L, texts)
    expect_identical(bytes, one_by_one(texts))
    expect_identical(all_texts(fields_of(bytes), 5, bytes), texts)
  }
})
