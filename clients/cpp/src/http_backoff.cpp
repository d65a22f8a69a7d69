#include "http_backoff.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <random>

namespace mcbackend::http {
namespace {

constexpr milliseconds most_asked = std::chrono::hours(24);

double uniform_up_to(double bound) {
  static thread_local std::minstd_rand random{std::random_device{}()};
  return std::uniform_real_distribution<double>(0.0, bound)(random);
}

}  // namespace

std::optional<milliseconds> parse_retry_after(const std::string& value) {
  if (value.empty()) return {};
  if (std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    if (value.size() > 6) return most_asked;
    return std::min(most_asked, milliseconds(std::chrono::seconds(std::stol(value))));
  }
  const std::time_t then = curl_getdate(value.c_str(), nullptr);
  if (then == -1) return {};
  const double left = std::difftime(then, std::time(nullptr));
  const double most = static_cast<double>(most_asked.count()) / 1000;
  return milliseconds(static_cast<milliseconds::rep>(1000 * std::clamp(left, 0.0, most)));
}

double Backoff::bound() const noexcept {
  const auto doubled =
      static_cast<double>(options_->base.count()) * std::ldexp(1.0, static_cast<int>(std::min(failures_ - 1, 60U)));
  return std::min(static_cast<double>(options_->cap.count()), doubled);
}

std::optional<Clock::time_point> Backoff::next(Clock::time_point now, std::optional<milliseconds> asked) {
  if (failures_++ == 0) first_ = now;
  auto pause =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double, std::milli>(uniform_up_to(bound())));
  if (asked) pause = std::max<Clock::duration>(pause, *asked);
  const auto& limit = options_->limit;
  if (limit.count() < 0) return now + pause;
  const auto left = first_ - now + Clock::duration(limit);
  if (left <= Clock::duration::zero() || (asked && *asked > left)) return {};
  return now + std::min<Clock::duration>(pause, left);
}

}  // namespace mcbackend::http
