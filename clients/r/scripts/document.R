# Help pages and NAMESPACE, made of the comments in R/. Usage: Rscript clients/r/scripts/document.R [--check]
arguments <- commandArgs(trailingOnly = TRUE)
if ("--help" %in% arguments || length(setdiff(arguments, "--check"))) {
  cat("Usage: Rscript clients/r/scripts/document.R [--check]\n\n",
    "Makes man/ and NAMESPACE of the comments in R/ with roxygen2 7.2.3.\n",
    "  --check  changes nothing, and fails when they are out of date\n",
    sep = ""
  )
  quit(status = if ("--help" %in% arguments) 0L else 2L)
}
script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])
root <- normalizePath(file.path(dirname(script), ".."))

# The text of all that is generated below a folder, by path.
generated <- function(folder) {
  files <- c("NAMESPACE", file.path("man", list.files(file.path(folder, "man"), pattern = "[.]Rd$")))
  files <- files[file.exists(file.path(folder, files))]
  stats::setNames(lapply(file.path(folder, files), readLines, encoding = "UTF-8"), files)
}

copy <- file.path(tempfile("document"), "mcbackend.edge")
dir.create(copy, recursive = TRUE)
sources <- file.path(root, c("DESCRIPTION", "NAMESPACE", "R", "man"))
stopifnot(file.copy(sources[file.exists(sources)], copy, recursive = TRUE))
suppressMessages(roxygen2::roxygenise(copy, load_code = roxygen2::load_source))
made <- generated(copy)

if ("--check" %in% arguments) {
  there <- generated(root)
  names <- union(names(made), names(there))
  stale <- names[!vapply(names, function(name) identical(made[[name]], there[[name]]), NA)]
  if (length(stale)) {
    cat("out of date: ", paste(stale, collapse = ", "), "; run Rscript clients/r/scripts/document.R\n", sep = "")
    quit(status = 1L)
  }
  cat(length(made), "files are up to date\n")
} else {
  unlink(file.path(root, "man"), recursive = TRUE)
  dir.create(file.path(root, "man"))
  stopifnot(file.copy(file.path(copy, names(made)), file.path(root, names(made)), overwrite = TRUE))
  cat(length(made), "files made\n")
}
