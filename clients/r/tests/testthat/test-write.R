# Runs and blocks on a real server: every dtype and shape there and back, and what is refused.

# Draws of a shape: values of the dtype at random, as an array [n, shape].
any_draws <- function(dtype, n, shape) {
  size <- n * prod(shape)
  values <- switch(dtype,
    bool = sample(c(TRUE, FALSE), size, replace = TRUE),
    str = vapply(sample(0:5, size, replace = TRUE), function(k) intToUtf8(sample(c(65:90, 955, 0x1D538), k)), ""),
    float64 = sample(c(NA, NaN, -0, Inf, rnorm(4)), size, replace = TRUE),
    float32 = sample(c(NaN, -0, -Inf, 0.5, 2^100), size, replace = TRUE),
    floor(runif(size, max(RANGES[[dtype]][1], -2^52), min(RANGES[[dtype]][2], 2^52)))
  )
  if (length(shape)) array(values, c(n, shape)) else values
}

# The same bits, whatever the type of whole numbers.
expect_same_values <- function(read, written, info) {
  expect_identical(dim(read), dim(written), info = info)
  if (is.double(written) || is.integer(written)) {
    read <- writeBin(as.double(read), raw())
    written <- writeBin(as.double(written), raw())
  }
  expect_identical(as.vector(read), as.vector(written), info = info)
}

test_that("draws of every dtype and shape come back as they were written", {
  client <- test_client()
  set.seed(2026)
  for (dtype in c(names(SIZES), "str")) {
    shapes <- list(a = numeric(), b = 3, c = c(2, 3), d = c(2, 0), e = c(2, 1, 3))
    run <- mcb_init_run(client, new_rid(dtype), variables = lapply(shapes, mcb_variable, dtype = dtype),
      sample_stats = list(s = mcb_variable(c(2, 2), dtype)))
    blocks <- lapply(c(4, 1, 7), function(n) c(lapply(shapes, any_draws, dtype = dtype, n = n), list(s = any_draws(dtype, n, c(2, 2)))))
    for (block in blocks) mcb_append(run, 0, block[names(shapes)], block["s"])
    for (name in names(blocks[[1]])) {
      read <- (if (name == "s") mcb_stats else mcb_draws)(run, name, 0)
      at <- list(1:4, 5, 6:12)
      for (i in 1:3) {
        expect_same_values(some_draws(read, at[[i]][1], at[[i]][length(at[[i]])]), blocks[[i]][[name]], paste(dtype, name))
      }
    }
  }
})

test_that("draws whose shape varies come back as they were written", {
  client <- test_client()
  set.seed(11)
  for (dtype in c("float64", "float32", "int64", "bool", "str", "uint8")) {
    run <- mcb_init_run(client, new_rid(dtype), variables = list(
      v = mcb_variable(-1, dtype), m = mcb_variable(c(-1, 2), dtype), any = mcb_variable(NULL, dtype)
    ))
    n <- 20
    one <- function(shape) {
      draw <- any_draws(dtype, 1, shape)
      if (length(shape)) array(draw, shape) else draw
    }
    draws <- list(
      v = lapply(sample(0:3, n, replace = TRUE), function(k) as.vector(one(k))),
      m = lapply(sample(0:3, n, replace = TRUE), function(k) one(c(k, 2))),
      any = lapply(seq_len(n), function(i) one(list(numeric(), 1, 3, c(2, 2), c(0, 4))[[sample(5, 1)]]))
    )
    mcb_append(run, 3, lapply(draws, `[`, 1:7))
    mcb_append(run, 3, lapply(draws, `[`, 8:n))
    for (name in names(draws)) {
      read <- mcb_draws(run, name, 3)
      expect_length(read, n)
      for (i in seq_len(n)) expect_same_values(read[[i]], draws[[name]][[i]], paste(dtype, name, i))
    }
  }
})

test_that("names, labels, data and attributes are those of the registration", {
  run <- mcb_init_run(test_client(), new_rid(),
    variables = list("theta[1,2]" = integer(), "a/b" = 2, "\u03bc" = "int32", "__proto__" = "str", "a+b c" = "bool"),
    coords = list(d = c("x", "\u00e4")), dims = list("a/b" = "d", y = "d"), data = list(y = c(NaN, -0)), observed = "y",
    attributes = list(sampler = "NUTS", seed = 4)
  )
  draws <- list("theta[1,2]" = 1:2, "a/b" = matrix(1:4, 2), "\u03bc" = c(-1L, 5L), "__proto__" = c("", "z"), "a+b c" = c(TRUE, FALSE))
  expect_identical(mcb_append(run, 0, draws), 2)
  again <- mcb_run(run$client, run$rid)
  expect_named(again$variables, names(draws))
  for (name in names(draws)) expect_equal(mcb_draws(again, name, 0), draws[[name]], info = name)
  expect_identical(mcb_coords(again), list(d = c("x", "\u00e4")))
  expect_identical(as.vector(mcb_data(again)$observed$y), c(NaN, -0))
  expect_identical(again$meta$attributes[c("sampler", "seed")], list(sampler = "NUTS", seed = 4))
  copy <- mcb_init_run(run$client, run$rid, meta = again$meta$raw)
  expect_identical(copy$registration, run$registration)
})

test_that("an equal registration opens the run, another one is a conflict", {
  client <- test_client()
  rid <- new_rid()
  run <- mcb_init_run(client, rid, variables = list(mu = integer()))
  expect_identical(mcb_init_run(client, rid, variables = "mu")$registration, run$registration)
  expect_error(mcb_init_run(client, rid, variables = "tau"), class = "mcb_run_conflict")
  made <- mcb_init_run(client, variables = "mu")
  expect_match(made$rid, "^r-[0-9]{8}-[0-9]{6}-[0-9a-f]{16}$")
})

test_that("a block that does not fit is refused before anything is sent", {
  run <- mcb_init_run(test_client(), new_rid(), variables = list(mu = integer(), theta = 2), sample_stats = list(ok = "bool"))
  theta <- matrix(0, 3, 2)
  refused <- function(code, draws, stats = list()) {
    expect_error(mcb_append(run, 0, draws, stats), class = paste0("mcb_", code))
  }
  refused("missing_variable", list(mu = 1:3))
  refused("unknown_variable", list(mu = 1:3, theta = theta, nu = 1:3))
  refused("unknown_variable", list(mu = 1:3, theta = theta), list(lp = 1:3))
  refused("shape_mismatch", list(mu = 1:2, theta = theta))
  refused("shape_mismatch", list(mu = 1:3, theta = t(theta)))
  refused("shape_mismatch", list(mu = 1:3, theta = 1:6))
  refused("shape_mismatch", list(mu = as.list(1:3), theta = theta))
  refused("dtype_mismatch", list(mu = c("1", "2", "3"), theta = theta))
  refused("dtype_mismatch", list(mu = 1:3, theta = theta), list(ok = c(TRUE, NA, FALSE)))
  refused("empty_batch", list(mu = numeric(), theta = theta[0, ]))
  refused("invalid_argument", list(1:3, theta))
  expect_error(mcb_append(run, -1, list(mu = 1, theta = theta[1, , drop = FALSE])), class = "mcb_invalid_parameter")
  expect_error(mcb_append(run, 0.5, list()), class = "mcb_invalid_parameter")
  expect_identical(nrow(mcb_chains(run)), 0L)
})

test_that("start compares what is there, and goes on behind it", {
  run <- mcb_init_run(test_client(), new_rid(), variables = "mu")
  expect_identical(mcb_append(run, 0, list(mu = 1:5)), 5)
  expect_identical(mcb_append(run, 0, list(mu = 3:5), start = 2), 5)
  expect_identical(mcb_append(run, 0, list(mu = 4:8), start = 3), 8)
  conflict <- expect_error(mcb_append(run, 0, list(mu = 0), start = 2), class = "mcb_draw_conflict")
  expect_identical(conflict$fields$length, 8L)
  gap <- expect_error(mcb_append(run, 0, list(mu = 0), start = 9), class = "mcb_draw_gap")
  expect_identical(gap$fields$length, 8L)
  expect_identical(mcb_append(run, 0, list(mu = 9)), 9)
  other <- mcb_run(run$client, run$rid)
  expect_identical(mcb_append(other, 0, list(mu = 10)), 10)
  expect_error(mcb_append(run, 0, list(mu = 11)), class = "mcb_draw_conflict")
  expect_identical(mcb_draws(run, "mu", 0), as.double(1:10))
})

test_that("chains are made once, and runs without variables have iterations", {
  run <- mcb_init_run(test_client(), new_rid(), sample_stats = "lp")
  expect_identical(mcb_init_chain(run, 2, exclusive = TRUE), 0)
  expect_error(mcb_init_chain(run, 2, exclusive = TRUE), class = "mcb_chain_exists")
  expect_identical(mcb_init_chain(run, 2), 0)
  expect_error(mcb_append(run, 2, list()), class = "mcb_invalid_argument")
  expect_identical(mcb_append(run, 2, list(), count = 3), 3)
  expect_identical(mcb_stats(run, "lp", 2), rep(NaN, 3))
})

test_that("names, tags, notes and facts change, NULL resets them", {
  run <- mcb_init_run(test_client(), new_rid(), variables = "mu")
  about <- mcb_set_about(run, name = "N \u03bc", tags = c("a", "b"), notes = c("one", "two"), archived = TRUE, facts = list(seed = 1, x = list(y = 2)))
  expect_identical(about$name, "N \u03bc")
  expect_identical(about$notes, "one\ntwo")
  about <- mcb_set_about(run, name = NULL, tags = "a", archived = FALSE, facts = list(x = list(z = 3)))
  expect_null(about$name)
  expect_identical(about$tags, list("a"))
  expect_equal(about$facts, list(seed = 1, x = list(y = 2, z = 3)))
  expect_error(mcb_set_about(run, name = strrep("x", 201)), class = "mcb_invalid_about")
})

test_that("a handle never writes into, or deletes, a run that was registered since", {
  client <- test_client()
  old <- mcb_init_run(client, new_rid(), variables = "mu")
  mcb_append(old, 0, list(mu = 1))
  expect_true(mcb_delete_run(old))
  expect_false(mcb_delete_run(old))
  new <- mcb_init_run(client, old$rid, variables = "mu")
  mcb_init_chain(new, 0)
  expect_error(mcb_append(old, 0, list(mu = 2)), class = "mcb_run_replaced")
  expect_error(mcb_delete_run(old), class = "mcb_run_replaced")
  expect_error(mcb_set_about(old, name = "x"), class = "mcb_run_replaced")
  expect_identical(mcb_chains(new)$length, 0)
})

test_that("facts keep all bits of their numbers", {
  run <- mcb_init_run(test_client(), new_rid(), variables = "mu")
  numbers <- c(0.1 + 0.2, 2^53 - 1, 1e300, 2^-1074, 1 / 3)
  facts <- list(one = 0.1 + 0.2, many = numbers, matrix = matrix(1:6 / 3, 2), flag = TRUE, count = 3L, list = list(2 / 3, "x"), nan = NaN)
  told <- mcb_set_about(run, facts = facts)$facts
  expect_identical(told$one, 0.1 + 0.2)
  expect_identical(as.double(unlist(told$many)), numbers)
  expect_identical(do.call(rbind, lapply(told$matrix, function(row) as.double(unlist(row)))), facts$matrix)
  expect_identical(told[c("flag", "count", "list")], facts[c("flag", "count", "list")])
  frame <- data.frame(a = c("x", "y"), b = c(1 / 3, NA))
  expect_identical(json_text(list(f = frame, i = I(1), m = array(1:4 / 2, c(1, 2, 2)))),
    '{"f":[{"a":"x","b":0.33333333333333331},{"a":"y","b":null}],"i":[1],"m":[[[0.5,1.5],[1,2]]]}')
})

test_that("spans of time in facts are seconds", {
  run <- mcb_init_run(test_client(), new_rid(), variables = "mu")
  span <- as.difftime(c(1.5, 90), units = "mins")
  facts <- mcb_set_about(run, facts = list(took = span[1], each = span, inner = list(took = span[2])))$facts
  expect_equal(facts[c("took", "each", "inner")], list(took = 90, each = list(90, 5400), inner = list(took = 5400)))
  expect_identical(json_text(list(f = data.frame(took = span), b = I(span[1]))), '{"f":[{"took":90},{"took":5400}],"b":[90]}')
})

test_that("text that is no UTF-8 is refused before anything is sent", {
  run <- mcb_init_run(test_client(), new_rid(), variables = list(s = "str", v = mcb_variable(-1, "str")))
  long <- strrep("x", 3e6)
  broken <- rawToChar(as.raw(255))
  Encoding(broken) <- "UTF-8"
  marked <- rawToChar(as.raw(c(120, 228)))
  Encoding(marked) <- "bytes"
  for (bad in list(NA_character_, broken, marked)) {
    error <- expect_error(mcb_append(run, 0, list(s = c(long, long, long, bad), v = list("", "", "", ""))), class = "mcb_dtype_mismatch")
    expect_identical(error$fields$variable, "s")
    expect_error(mcb_append(run, 0, list(s = c(long, long, long, ""), v = list("", "", "", bad))), class = "mcb_dtype_mismatch")
  }
  expect_identical(nrow(mcb_chains(run)), 0L)
})
