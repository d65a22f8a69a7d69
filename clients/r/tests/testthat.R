library(testthat)
library(mcbackend.edge)

test_check("mcbackend.edge")
