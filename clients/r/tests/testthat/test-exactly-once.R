# Draws through a network that fails: each is stored once, whatever answer was lost.

test_that("blocks through a proxy that fails are stored exactly once", {
  client <- faulty_client(0.3)
  run <- mcb_init_run(client, new_rid(), variables = list(mu = integer(), theta = 3, s = "str"), sample_stats = list(i = "int64"))
  set.seed(1)
  sizes <- sample(1:40, 25, replace = TRUE)
  at <- 0
  for (n in sizes) {
    i <- at + seq_len(n)
    for (chain in 0:1) {
      mcb_append(run, chain, list(mu = i + chain / 2, theta = cbind(i, -i, 0), s = as.character(i)), list(i = i))
    }
    at <- at + n
  }
  direct <- mcb_run(test_client(), run$rid)
  expect_identical(mcb_chains(direct)$length, c(at, at))
  for (chain in 0:1) {
    expect_identical(mcb_draws(direct, "mu", chain), seq_len(at) + chain / 2)
    expect_identical(mcb_draws(direct, "s", chain), as.character(seq_len(at)))
    expect_identical(mcb_stats(direct, "i", chain), as.double(seq_len(at)))
  }
})

test_that("an answer that was lost is asked for again with the same bytes", {
  run <- mcb_init_run(test_client(), new_rid(), variables = "mu")
  mcb_append(run, 0, list(mu = 1:3))
  for (fault in c("refuse", "cut", "half", "short", "page", "busy")) {
    behind <- run
    behind$client <- faulty_client(c(fault, fault, ""))
    behind$client$state$is_met <- TRUE
    expect_identical(mcb_append(behind, 0, list(mu = 4:6)), mcb_chains(run)$length, info = fault)
  }
  expect_identical(mcb_draws(run, "mu", 0), c(1:3, rep(4:6, 6)) + 0)
})

test_that("a call that failed for good is repeated, and nothing is doubled", {
  run <- mcb_init_run(test_client(), new_rid(), variables = "mu")
  mcb_append(run, 0, list(mu = 1))
  lost <- run
  lost$client <- faulty_client(rep("cut", 50), retry_limit = 0)
  expect_error(mcb_append(lost, 0, list(mu = 2:3)), class = "mcb_transport")
  expect_identical(mcb_chains(run)$length, 3)
  expect_error(mcb_append(run, 0, list(mu = 4)), class = "mcb_draw_conflict")
  expect_identical(mcb_append(run, 0, list(mu = 2:3)), 3)
  expect_identical(mcb_append(run, 0, list(mu = 4)), 4)
  expect_identical(mcb_draws(run, "mu", 0), 1:4 + 0)
})

test_that("a large block that broke off in the middle is sent again as a whole", {
  run <- mcb_init_run(test_client(), new_rid(), variables = list(x = 1000))
  x <- matrix(seq_len(3e6) + 0, 3000, 1000, byrow = TRUE)
  expect_identical(nrow(pieces_of(list(count = 3000, draws = list(x = x), stats = list()), run)), 3L)
  broken <- run
  # The chain and the first piece pass.
  broken$client <- faulty_client(c("", "", "cut", rep("refuse", 50)), retry_limit = 0)
  expect_error(mcb_append(broken, 0, list(x = x)), class = "mcb_transport")
  stored <- mcb_chains(run)$length
  expect_true(stored > 0 && stored < 3000)
  expect_identical(mcb_append(run, 0, list(x = x)), 3000)
  expect_identical(mcb_draws(run, "x", 0), x)
})

test_that("a server that was killed and started again goes on", {
  server <- start_server()
  port <- sub(".*:", "", server$url)
  client <- mcb_client(server$url, token = "", retry_base = 0.05, retry_cap = 0.2)
  run <- mcb_init_run(client, new_rid(), variables = "mu")
  mcb_append(run, 0, list(mu = 1:100))
  stop_program(server, tools::SIGKILL)
  Sys.sleep(0.2)
  again <- start_server(port = port, data = server$data)
  mcb_append(run, 0, list(mu = 101:200))
  expect_identical(mcb_draws(run, "mu", 0), 1:200 + 0)
  stop_program(again)
})

test_that("a deletion is repeated until it is done", {
  for (fault in c("cut", "page", "refuse")) {
    run <- mcb_init_run(test_client(), new_rid(), variables = "mu")
    behind <- run
    behind$client <- faulty_client(c("", fault, ""))
    expect_true(mcb_delete_run(behind), info = fault)
    expect_error(mcb_run(run$client, run$rid), class = "mcb_run_not_found")
  }
})

test_that("processes that were forked write each its own chain, whole", {
  if (.Platform$OS.type != "unix") skip("processes fork on Unix alone")
  run <- mcb_init_run(test_client(), new_rid(), variables = "mu")
  lengths <- parallel::mclapply(0:3, function(chain) {
    for (i in 1:40) length <- mcb_append(run, chain, list(mu = 100 * chain + i))
    length
  }, mc.cores = 4)
  expect_identical(lengths, rep(list(40), 4))
  for (chain in 0:3) expect_identical(mcb_draws(run, "mu", chain), 100 * chain + 1:40, info = chain)
})

test_that("an answer about another chain confirms nothing", {
  run <- mcb_init_run(test_client(), new_rid(), variables = "mu")
  behind <- run
  behind$client <- faulty_client(c("other", "other"), retry_limit = 0)
  expect_error(mcb_init_chain(behind, 0), "of the chain 1 instead of 0", class = "mcb_invalid_answer")
  set_next_index(behind, 0, 0)
  expect_error(mcb_append(behind, 0, list(mu = 1)), "of the chain 1 instead of 0", class = "mcb_invalid_answer")
})

test_that("JSON of another kind is asked for again, and is no success", {
  run <- mcb_init_run(test_client(), new_rid(), variables = "mu")
  behind <- run
  behind$client <- faulty_client(c("true", "", "true", "", "true", ""))
  expect_identical(mcb_append(behind, 0, list(mu = 1:2)), 2)
  expect_identical(mcb_set_about(behind, name = "N")$name, "N")
  behind$client <- faulty_client("true", retry_limit = 0)
  expect_error(mcb_set_about(behind, name = "M"), class = "mcb_invalid_answer")
})

test_that("a piece that is too large for a proxy is halved, down to one draw", {
  run <- mcb_init_run(test_client(), new_rid(), variables = list(x = 100))
  x <- matrix(seq_len(4e3) + 0, 40, 100)
  behind <- run
  behind$client <- faulty_client(rep("under=5000", 100))
  expect_identical(mcb_append(behind, 0, list(x = x)), 40)
  expect_identical(mcb_append(behind, 0, list(x = x)), 80)
  expect_identical(mcb_draws(run, "x", 0), rbind(x, x))
  behind$client <- faulty_client(rep("under=500", 100))
  expect_error(mcb_append(behind, 1, list(x = x)), class = "mcb_payload_too_large")
})
