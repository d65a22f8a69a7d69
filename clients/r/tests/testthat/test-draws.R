# Draws in posterior's formats, and raw.

# A run of every kind of column: chain c has c + 4 draws, the first of them warmup.
all_kinds <- function(client, chains = 2) {
  rid <- json_run(client,
    variables = list(
      mu = list(dtype = "float64"), theta = list(dtype = "float64", shape = c(2, 3)),
      k = list(dtype = "int64", shape = list(2)), words = list(dtype = "str", shape = list(2)),
      ragged = list(dtype = "float32", shape = c(-1, 2)), `mu[1]` = list(dtype = "int32"),
      any = list(dtype = "bool", undefinedNdim = TRUE), empty = list(dtype = "int8", shape = list(0))
    ),
    stats = list(tune = list(dtype = "bool"), lp = list(dtype = "float64"))
  )
  for (chain in seq_len(chains) - 1) {
    each <- function(value) lapply(seq_len(chain + 4) - 1, value)
    json_draws(client, rid, chain, list(
      mu = each(function(i) 1000 * chain + i),
      theta = each(function(i) lapply(0:1, function(a) lapply(0:2, function(b) 100 * i + 10 * a + b))),
      k = each(function(i) list(i, -i)), words = each(function(i) list("a", "\u00b5")),
      ragged = each(function(i) lapply(seq_len(i), function(j) list(j, i))), `mu[1]` = each(function(i) -2147483648),
      any = each(function(i) if (i %% 2) TRUE else list(list(TRUE, FALSE))), empty = each(function(i) list())
    ), list(tune = each(function(i) i < 1), lp = each(function(i) -i)))
  }
  rid
}

# Calls that say what they leave out or cut are not quiet.
quietly <- function(value) suppressMessages(suppressWarnings(value))

test_that("all formats have all draws behind warmup, by Stan's names", {
  client <- test_client()
  run <- mcb_run(client, all_kinds(client))
  expect_message(expect_warning(draws <- as_draws_array(run), "cut to the shortest, 3"), "words, ragged, any")
  names <- c(
    "mu", "theta[1,1]", "theta[2,1]", "theta[1,2]", "theta[2,2]", "theta[1,3]", "theta[2,3]", "k[1]", "k[2]", "mu[1]"
  )
  expect_identical(posterior::variables(draws), names)
  expect_identical(dim(draws), c(3L, 2L, 10L))
  expect_identical(as.vector(draws[, , "mu"]), c(1, 2, 3, 1001, 1002, 1003))
  expect_identical(as.vector(draws[, , "theta[2,3]"]), rep(c(112, 212, 312), 2))
  expect_identical(as.vector(draws[, 1, "mu[1]"]), rep(-2^31, 3))
  expect_identical(quietly(as_draws(run)), draws)
  expect_identical(quietly(as_draws_matrix(run)), posterior::as_draws_matrix(draws))
  expect_identical(quietly(as_draws_df(run)), posterior::as_draws_df(draws))
  expect_identical(quietly(as_draws_list(run)), posterior::as_draws_list(draws))
  expect_identical(dim(quietly(as_draws_rvars(run))$theta), c(2L, 3L))
  # The generics of posterior itself find the methods.
  expect_identical(quietly(posterior::as_draws_array(run)), draws)
})

test_that("pages of any size give the same", {
  client <- test_client()
  rid <- all_kinds(client)
  run <- mcb_run(client, rid)
  draws <- quietly(as_draws_array(run))
  ragged <- mcb_draws(run, "ragged", 1, step = -2)
  for (size in c(1, 100, 1000)) {
    small <- mcb_run(test_client(page_size = size), rid)
    expect_identical(quietly(as_draws_array(small)), draws)
    expect_identical(mcb_draws(small, "ragged", 1, step = -2), ragged)
    backwards <- mcb_draws(small, "theta", 1, start = 4, stop = 0, step = -3)
    expect_identical(backwards, mcb_draws(run, "theta", 1)[c(5, 2), , ])
  }
})

test_that("variables and elements are picked by name, in the order asked for", {
  client <- test_client()
  run <- mcb_run(client, all_kinds(client))
  draws <- as_draws_array(run, c("theta[2,3]", "theta[1,2]", "mu", "theta", "k[2]", "mu[1]", "mu"), TRUE, chains = 1)
  expect_identical(posterior::variables(draws), c(
    "theta[2,3]", "theta[1,2]", "mu", "theta[1,1]", "theta[2,1]", "theta[2,2]", "theta[1,3]", "k[2]", "mu[1]"
  ))
  expect_identical(unname(unclass(draws)[3, 1, ]), c(212, 201, 1002, 200, 210, 211, 202, -2, -2^31))
  expect_error(as_draws_array(run, "nu"), "no variable \"nu\"; it has mu, theta", class = "mcb_unknown_variable")
  expect_error(as_draws_array(run, "theta[3,1]"), "shape is \\[2,3\\]", class = "mcb_unknown_variable")
  expect_error(as_draws_array(run, "theta[0,1]"), class = "mcb_unknown_variable")
  expect_error(as_draws_array(run, "words"), "mcb_draws", class = "mcb_invalid_argument")
  expect_error(as_draws_array(run, chains = 7), class = "mcb_chain_not_found")
  expect_error(as_draws_array(run, start = 1), class = "mcb_invalid_argument")
})

test_that("more variables than an address can name, and many elements, are read in parts", {
  client <- test_client()
  names <- sprintf("a rather long name of a variable, the %03d.", 1:300)
  scalars <- stats::setNames(rep(list(list(dtype = "float64")), 300), names)
  rid <- json_run(client, c(scalars, list(x = list(dtype = "int16", shape = list(3000)))))
  json_draws(client, rid, 0, c(stats::setNames(lapply(1:300, list), names), list(x = list(0:2999))))
  run <- mcb_run(client, rid)
  draws <- as_draws_array(run)
  expect_identical(as.vector(draws), c(1:300, 0:2999) + 0)
  odd <- paste0("x[", seq(1, 2999, 2), "]")
  expect_identical(as.vector(as_draws_array(run, c(odd, names[7]))), c(seq(0, 2998, 2), 7))
})

test_that("chains that lag behind are left out as in summaries, and warmup may be read", {
  client <- test_client()
  rid <- json_run(client, list(x = list(dtype = "float64")), list(warmup = list(dtype = "bool")))
  for (chain in 0:3) {
    n <- c(10, 8, 3, 2)[chain + 1]
    json_draws(client, rid, chain, list(x = as.list(seq_len(n))), list(warmup = as.list(seq_len(n) <= 2)))
  }
  run <- mcb_run(client, rid)
  told <- capture_warnings(draws <- as_draws_array(run))
  expect_match(told[1], "chain 2 (1), chain 3 (0)", fixed = TRUE)
  expect_match(told[2], "chains of 8, 6 draws were cut to the shortest, 6")
  expect_identical(dim(draws), c(6L, 2L, 1L))
  expect_identical(as.vector(draws[1, , ]), c(3, 3))
  suppressWarnings(expect_identical(dim(as_draws_array(run, inc_warmup = TRUE)), c(3L, 3L, 1L)))
  suppressWarnings(expect_identical(dim(as_draws_array(run, chains = c(2, 0))), c(1L, 2L, 1L)))
  expect_error(as_draws_array(run, chains = 3), "inc_warmup", class = "mcb_no_draws")
  summary <- suppressWarnings(mcb_summary(run, columns = "mean"))
  expect_identical(attr(summary, "draws") + 0, 6)
  expect_setequal(attr(summary, "left_out")$chain, c(2, 3))
})

test_that("warmup is the longest prefix of the first flag by name", {
  flag <- function(name, dtype = "bool", shape = numeric()) {
    list(name = name, dtype = dtype, shape = shape, is_rigid = TRUE)
  }
  chosen <- function(...) {
    stats <- list(...)
    warmup_flag(stats::setNames(stats, vapply(stats, `[[`, "", "name")))$name
  }
  expect_identical(chosen(flag("warmup"), flag("tune")), "tune")
  expect_identical(chosen(flag("tune", "int8"), flag("is_warmup")), "is_warmup")
  expect_identical(chosen(flag("b__tune"), flag("a__in_warmup")), "b__tune")
  expect_null(chosen(flag("tune", shape = 1), flag("xtune")))
  client <- test_client()
  rid <- json_run(client, list(x = list(dtype = "float64")), list(s__tune = list(dtype = "bool")))
  json_draws(client, rid, 0, list(x = as.list(1:5)), list(s__tune = list(TRUE, TRUE, FALSE, TRUE, FALSE)))
  expect_identical(as.vector(as_draws_array(mcb_run(client, rid))), c(3, 4, 5))
})

test_that("raw draws have any kind and shape", {
  client <- test_client()
  run <- mcb_run(client, all_kinds(client))
  expect_identical(mcb_draws(run, "theta", 0)[2, , ], rbind(c(100, 101, 102), c(110, 111, 112)))
  expect_identical(mcb_draws(run, "words", 1), cbind(rep("a", 5), rep("\u00b5", 5)))
  expect_identical(mcb_draws(run, "ragged", 0)[[3]], cbind(c(1, 2), c(2, 2)))
  expect_identical(dim(mcb_draws(run, "ragged", 0)[[1]]), c(0L, 2L))
  expect_identical(mcb_draws(run, "any", 0), list(cbind(TRUE, FALSE), TRUE, cbind(TRUE, FALSE), TRUE))
  expect_identical(dim(mcb_draws(run, "empty", 0)), c(4L, 0L))
  expect_identical(mcb_stats(run, "tune", 0), c(TRUE, FALSE, FALSE, FALSE))
  expect_identical(mcb_draws(run, "mu", 1, start = -2), c(1003, 1004))
  expect_identical(mcb_draws(run, "mu", 1, stop = 0), numeric())
  expect_error(mcb_draws(run, "mu", 9), class = "mcb_chain_not_found")
  expect_error(mcb_draws(run, "mu", 0, step = 0), class = "mcb_invalid_slice")
  expect_error(mcb_draws(run, "lp", 0), "no variable", class = "mcb_unknown_variable")
})

test_that("a run that is registered anew is another one", {
  client <- test_client()
  rid <- all_kinds(client)
  run <- mcb_run(client, rid)
  send_json(client, "DELETE", paste0("/v1/runs/", rid))
  expect_error(as_draws_array(run), class = "mcb_run_not_found")
  json_run(client, list(mu = list(dtype = "float64")), rid = rid)
  expect_error(as_draws_array(run), class = "mcb_run_replaced")
  expect_error(mcb_summary(run), class = "mcb_run_replaced")
})

test_that("draws are whole through a network that fails", {
  client <- test_client()
  rid <- all_kinds(client)
  draws <- quietly(as_draws_array(mcb_run(client, rid)))
  faulty <- mcb_run(faulty_client("0.4", page_size = 100), rid)
  for (i in 1:5) expect_identical(quietly(as_draws_array(faulty)), draws)
})

test_that("a server that was killed and started again gives the same draws", {
  data <- tempfile("data")
  server <- start_server(data = data)
  client <- mcb_client(server$url, token = "", page_size = 64, retry_base = 0.05, retry_cap = 0.2)
  rid <- json_run(client, list(x = list(dtype = "float64")))
  json_draws(client, rid, 0, list(x = as.list(1:100)))
  run <- mcb_run(client, rid)
  stop_program(server, tools::SIGKILL)
  again <- start_server(port = sub(".*:", "", server$url), data = data)
  on.exit(stop_program(again))
  expect_identical(as.vector(suppressMessages(as_draws_array(run))), 1:100 + 0)
})

test_that("a run of strings alone has no draws for posterior", {
  client <- test_client()
  rid <- json_run(client, list(words = list(dtype = "str")))
  expect_error(suppressMessages(as_draws_array(mcb_run(client, rid))), "mcb_draws", class = "mcb_no_draws")
})

test_that("chains that grow are read to the lengths of one moment", {
  client <- test_client()
  rid <- json_run(client, list(x = list(dtype = "float64")))
  writer <- start_program(c(node(), normalizePath(test_path("writer.mjs")), client$url, rid, "3"))
  on.exit(stop_program(writer))
  run <- mcb_run(test_client(page_size = 160), rid)
  while (nrow(mcb_chains(run)) < 3 || min(mcb_chains(run)$length) < 100) Sys.sleep(0.05)
  before <- 0
  for (i in 1:5) {
    draws <- suppressWarnings(as_draws_array(run))
    n <- dim(draws)[1]
    expect_gt(n, before)
    expect_identical(as.vector(draws), rep(seq_len(n) - 1, 3))
    expect_gt(min(mcb_chains(run)$length), n)
    raw <- mcb_draws(run, "x", 1)
    expect_identical(raw, seq_along(raw) - 1)
    before <- n
  }
})

test_that("the first page of texts is no larger than others", {
  run <- mcb_init_run(test_client(page_size = 3000), new_rid(), variables = list(s = "str", v = mcb_variable(-1)))
  text <- strrep("x", 1000)
  mcb_append(run, 0, list(s = rep(text, 30), v = lapply(1:30, function(i) rep(i + 0, 125))))
  for (name in c("s", "v")) {
    counts <- numeric()
    read_pages(run, 0, slice_of(30), variables = run$variables[name], on_page = function(columns, at) counts <<- c(counts, columns$count))
    expect_identical(sum(counts), 30)
    expect_lte(max(counts), 3)
  }
  expect_identical(mcb_draws(run, "s", 0), rep(text, 30))
})
