#include "http_outages.hpp"

namespace mcbackend::http {

void Outages::begin(const Error& error) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (failing_++ == 0) tell("outage: ", error.what(), "; it is tried again");
}

void Outages::end() noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (--failing_ == 0) tell("", "the server answers again", "");
}

void Outages::give_up(const Error& error) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  --failing_;
  tell("given up: ", error.what(), "");
}

void Outages::say(const char* text) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  tell("", text, "");
}

// The log is the user's: its exceptions must not end the thread that sends, nor must memory that is out.
void Outages::tell(const char* before, const char* text, const char* behind) noexcept {
  if (!log_) return;
  try {
    log_(std::string(before) + text + behind);
  } catch (...) {  // NOLINT(bugprone-empty-catch): there is nobody to be told
  }
}

}  // namespace mcbackend::http
