# Random numbers of the client's own: those of the user's script must not depend on what the network does.

# `n` numbers from 0 to 1. The state of R's generator stays as it is.
random <- function(n) {
  global <- globalenv()
  before <- get0(".Random.seed", global, inherits = FALSE)
  on.exit(if (is.null(before)) rm(".Random.seed", envir = global) else global[[".Random.seed"]] <- before)
  set.seed(NULL)
  stats::runif(n)
}
