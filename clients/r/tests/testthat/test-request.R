# Requests on a network that fails, and errors.

test_that("each fault is outlasted", {
  faults <- c("refuse", "cut", "half", "short", "page", "gone", "busy")
  client <- faulty_client(c("pass", rbind(faults, faults, "pass")))
  rid <- json_run(test_client(), list(x = list(dtype = "float64")))
  for (i in seq_len(length(faults) + 1)) expect_identical(mcb_run(client, rid)$rid, rid)
})

test_that("a page of a proxy is never an answer", {
  client <- faulty_client(rep(c("page", "gone"), 20), retry_limit = 0)
  expect_error(mcb_runs(client), class = "mcb_invalid_answer")
  expect_error(mcb_run(client, "x"), "no answer of a McBackend Edge server", class = "mcb_invalid_answer")
})

test_that("a page is no success where the answer has no body", {
  client <- test_client()
  rid <- json_run(client, list(x = list(dtype = "float64")))
  faulty <- faulty_client(c("pass", "page", "gone", "page"))
  mcb_delete_run(mcb_run(faulty, rid))
  expect_error(mcb_run(client, rid), class = "mcb_run_not_found")
})

test_that("a server that was never met is given up early when something else answers", {
  client <- faulty_client(rep("page", 1000), retry_limit = 1)
  started <- proc.time()[["elapsed"]]
  expect_error(mcb_runs(client), class = "mcb_invalid_answer")
  expect_lt(proc.time()[["elapsed"]] - started, 3)
  outcome <- list(foreign = TRUE, retry_after = 0)
  expect_identical(pause_after(1L, outcome, mcb_client(token = ""), FIRST_CONTACT), NA_real_)
})

test_that("no server is an error of its own, and a long wait is told once", {
  client <- mcb_client("http://127.0.0.1:1", token = "", retry_limit = 3, retry_base = 0.5)
  told <- capture_messages(expect_error(mcb_runs(client), "cannot be reached", class = "mcb_transport"))
  expect_length(told, 1)
  expect_match(told, "tried again for up to 3 s")
})

test_that("errors of the server have code, status and fields", {
  client <- test_client()
  error <- expect_error(mcb_run(client, "no-such-run"), class = "mcb_run_not_found")
  expect_s3_class(error, "mcb_error")
  expect_identical(error$code, "run_not_found")
  expect_identical(error$status, 404L)
  expect_identical(error$fields$code, "run_not_found")
})

test_that("Retry-After is kept, up to the limit", {
  client <- mcb_client(token = "", retry_limit = 60)
  expect_gte(pause_after(1L, list(retry_after = 7), client, 0), 7)
  expect_identical(pause_after(1L, list(retry_after = 70), client, 0), NA_real_)
  expect_identical(retry_after_of(list(headers = list(`retry-after` = "12"))), 12)
  at <- format(Sys.time() + 30, "%a, %d %b %Y %H:%M:%S GMT", tz = "UTC")
  expect_equal(retry_after_of(list(headers = list(`retry-after` = at))), 30, tolerance = 0.1)
})

test_that("pauses grow to the cap, and have full jitter", {
  client <- mcb_client(token = "", retry_base = 1, retry_cap = 4)
  longest <- vapply(1:6, function(attempt) {
    max(replicate(200, pause_after(attempt, list(retry_after = 0), client, 0)))
  }, 0)
  expect_true(all(longest <= c(1, 2, 4, 4, 4, 4)))
  expect_true(all(longest > c(0.8, 1.6, 3.2, 3.2, 3.2, 3.2)))
})

test_that("a redirection is told, and not followed with the key", {
  answer <- list(status = 302L, headers = list(location = "https://x.example/"), body = raw())
  error <- refusal(answer, mcb_client(token = ""), "GET /")
  expect_s3_class(error, "mcb_invalid_answer")
  expect_match(conditionMessage(error), "x.example", fixed = TRUE)
})

test_that("an interrupt ends the wait for an answer, and the one between attempts", {
  if (.Platform$OS.type != "unix") skip("signals are those of Unix")
  for (fault in c("hang", "busy")) {
    client <- faulty_client(rep(fault, 1000), retry_limit = 30)
    system(paste("(sleep 0.5; kill -INT", Sys.getpid(), ") &"))
    started <- proc.time()[["elapsed"]]
    outcome <- tryCatch(mcb_runs(client), interrupt = function(e) "interrupted", error = conditionMessage)
    expect_identical(outcome, "interrupted")
    expect_lt(proc.time()[["elapsed"]] - started, 5)
  }
})

test_that("the key is never shown", {
  client <- mcb_client("http://127.0.0.1:1", token = "mcb_secret")
  shown <- c(capture.output(print(client)), capture.output(str(client)), format(client))
  expect_false(any(grepl("secret", shown)))
  expect_match(format(client), "with a key", fixed = TRUE)
})

test_that("settings that make no sense are refused", {
  expect_error(mcb_client("draws.example.org"), class = "mcb_invalid_argument")
  expect_error(mcb_client(token = "a\nb"), class = "mcb_invalid_argument")
  expect_error(mcb_client(token = "", retry_limit = -1), class = "mcb_invalid_argument")
  expect_error(mcb_run(test_client(), "../x"), class = "mcb_invalid_parameter")
})

test_that("a client works out of a file, and in a forked process", {
  client <- test_client()
  rid <- json_run(client, list(x = list(dtype = "float64")))
  expect_identical(mcb_run(client, rid)$rid, rid)
  file <- tempfile()
  saveRDS(client, file)
  expect_identical(mcb_run(readRDS(file), rid)$rid, rid)
  if (.Platform$OS.type != "unix") skip("processes fork on Unix alone")
  rids <- parallel::mclapply(1:4, function(i) mcb_run(client, rid)$rid, mc.cores = 2)
  expect_identical(unlist(rids), rep(rid, 4))
})

test_that("one connection serves many requests", {
  client <- test_client()
  mcb_runs(client, limit = 1)
  handle <- client$state$handle
  mcb_runs(client, limit = 1)
  expect_identical(client$state$handle, handle)
  curl::handle_setopt(handle_of(client), customrequest = "GET")
  answer <- curl::curl_fetch_memory(paste0(client$url, "/healthz"), client$state$handle)
  # A connection that is there needs no time to connect.
  expect_lt(answer$times[["connect"]], 0.005)
})

test_that("numbers in a query are the same under every option", {
  before <- options(OutDec = ",", scipen = -9)
  on.exit(options(before))
  expect_identical(in_query(c(0.89, 1e5, 0.1 + 0.2)), c("0.89", "100000", "0.30000000000000004"))
  client <- test_client()
  run <- mcb_init_run(client, new_rid(), variables = "mu")
  mcb_append(run, 0, list(mu = sin(1:20)))
  expect_identical(attr(mcb_summary(run, ci_prob = 0.8), "draws"), 20L)
})
