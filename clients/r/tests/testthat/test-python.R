# Draws as the Python package reads them, bit by bit.

# Runs the interpreter of the Python package, past the libraries that R is linked with.
run_python <- function(path, ..., stdout = TRUE) {
  system2("env", c("-u", "LD_LIBRARY_PATH", shQuote(c(path, ...))), stdout = stdout, stderr = FALSE)
}

# That interpreter; skips where there is none.
python <- function() {
  path <- Sys.getenv("MCB_PYTHON")
  if (!nzchar(path)) path <- in_checkout("clients", "python", ".venv", "bin", "python")
  if (run_python(path, "-c", "import mcbackend_edge", stdout = FALSE) != 0) {
    skip(paste("the Python package is not installed for", path, "(MCB_PYTHON)"))
  }
  path
}

# Bytes of numbers in C order, little-endian, as their dtype has them.
bytes_in_c_order <- function(draws, dtype) {
  flat <- as.vector(aperm(draws, rev(seq_along(dim(draws)))))
  wide <- function(flat) {
    # Two words; R's remainder is never negative.
    rbind(flat %% 2^32, (flat %/% 2^32) %% 2^32)
  }
  word <- function(words) writeBin(as.integer(ifelse(words > 2^31, words - 2^32, words)), raw(), 4, endian = "little")
  switch(dtype,
    bool = as.raw(flat), int8 = , uint8 = writeBin(as.integer(flat), raw(), 1),
    int16 = , uint16 = writeBin(as.integer(flat), raw(), 2, endian = "little"),
    int32 = , uint32 = suppressWarnings(word(flat %% 2^32)), int64 = , uint64 = suppressWarnings(word(wide(flat))),
    float32 = float32_bytes(flat), float64 = writeBin(flat, raw(), 8, endian = "little")
  )
}

test_that("every dtype has the values of the Python package", {
  client <- test_client()
  rid <- new_rid("python")
  said <- run_python(python(), normalizePath(test_path("python_bits.py")), client$url, rid)
  found <- jsonlite::parse_json(said[length(said)])
  run <- mcb_run(client, rid)
  for (chain in 0:1) {
    expected <- found$chains[[as.character(chain)]]
    expect_length(expected, 11)
    for (dtype in names(expected)) {
      bytes <- bytes_in_c_order(mcb_draws(run, dtype, chain), dtype)
      expect_identical(paste(bytes, collapse = ""), expected[[dtype]], info = paste(chain, dtype))
    }
  }
  expect_identical(as.vector(t(mcb_draws(run, "words", 1))), unlist(found$words))
  draws <- suppressMessages(as_draws_array(run, "float64"))
  columns <- aperm(array(draws, c(50, 2, 2, 3)), c(1, 3, 4, 2))
  for (chain in 0:1) {
    bytes <- bytes_in_c_order(columns[, , , chain + 1], "float64")
    expect_identical(paste(bytes, collapse = ""), found$chains[[as.character(chain)]]$float64)
  }
})
