// Signals while libcurl writes: one of its TLS libraries may raise SIGPIPE at a connection that has broken, which would
// end the program.
#pragma once

#include <csignal>

namespace mcbackend::http {

/// Keeps SIGPIPE from the calling thread while this lives. The handlers of the program stay as they were.
class NoSigpipe {
 public:
  NoSigpipe() noexcept;
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;
  ~NoSigpipe();

 private:
  sigset_t before_{};
  bool was_pending_ = false;
};

/// Lives while a thread is made: signals to the process are for the program's own threads, and so not for a library's.
class NoSignals {
 public:
  NoSignals() noexcept;
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;
  ~NoSignals();

 private:
  sigset_t before_{};
};

}  // namespace mcbackend::http
