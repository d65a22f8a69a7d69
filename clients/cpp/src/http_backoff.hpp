// Pauses before a failed request is tried again, and their end.
#pragma once

#include <chrono>
#include <mcbackend/http.hpp>
#include <optional>
#include <string>

namespace mcbackend::http {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// Time that a server asks for by Retry-After (RFC 9110, section 10.2.3), in seconds or as a date; a day at most.
/// Nothing when the value is neither.
std::optional<milliseconds> parse_retry_after(const std::string& value);

/// Failures of one request in a row.
class Backoff {
 public:
  explicit Backoff(const RetryOptions& options) noexcept : options_(&options) {}

  /// Begins anew: the request has succeeded, or is another one.
  void reset() noexcept { failures_ = 0; }
  /// Goes on by other options, with the failures that there were.
  void use(const RetryOptions& options) noexcept { options_ = &options; }
  unsigned failures() const noexcept { return failures_; }
  /// The time of the next attempt, after a failure at `now`; nothing when the time for retries is over.
  /// Pauses are uniform from 0 to their bound ("full jitter"), so that clients that failed together do not come back
  /// together.
  std::optional<Clock::time_point> next(Clock::time_point now, std::optional<milliseconds> asked);

 private:
  double bound() const noexcept;

  const RetryOptions* options_;
  unsigned failures_ = 0;
  Clock::time_point first_;
};

}  // namespace mcbackend::http
