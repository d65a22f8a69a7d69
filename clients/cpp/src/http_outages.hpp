// Outages of the server as the user's log is told them: when the first request meets one, and when no request meets one
// any more.
#pragma once

#include <functional>
#include <mcbackend/types.hpp>
#include <mutex>
#include <string>
#include <utility>

namespace mcbackend::http {

class Outages {
 public:
  explicit Outages(std::function<void(const std::string&)> log) : log_(std::move(log)) {}

  /// A request has failed for the first time, and is tried again.
  void begin(const Error& error) noexcept;
  /// A request that had failed has succeeded.
  void end() noexcept;
  /// A request that had failed is given up.
  void give_up(const Error& error) noexcept;
  void say(const char* text) noexcept;

 private:
  void tell(const char* before, const char* text, const char* behind) noexcept;

  std::function<void(const std::string&)> log_;
  std::mutex mutex_;
  std::size_t failing_ = 0;
};

}  // namespace mcbackend::http
