#include "http_outages.hpp"

namespace mcbackend::http {

void Outages::begin(const Error& error) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (failing_++ == 0) tell(std::string("outage: ") + error.what() + "; it is tried again");
}

void Outages::end() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (--failing_ == 0) tell("the server answers again");
}

void Outages::give_up(const Error& error) {
  const std::lock_guard<std::mutex> lock(mutex_);
  --failing_;
  tell(std::string("given up: ") + error.what());
}

void Outages::say(const std::string& text) {
  const std::lock_guard<std::mutex> lock(mutex_);
  tell(text);
}

// The log is the user's: its exceptions must not end the thread that sends.
void Outages::tell(const std::string& text) noexcept {
  if (!log_) return;
  try {
    log_(text);
  } catch (...) {  // NOLINT(bugprone-empty-catch): there is nobody to be told
  }
}

}  // namespace mcbackend::http
