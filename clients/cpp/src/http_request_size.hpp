// Sizes of requests that get through.
#pragma once

#include <algorithm>
#include <cstddef>

namespace mcbackend::http {

/// Bytes of draws that a request aims at. They are fewer once a server, a proxy or the network has not taken more, and
/// grow again by doubling, since that limit may pass. A limit that stays is met ever more rarely: each try that is
/// refused costs a request, or the time of one.
class RequestSize {
 public:
  /// Requests of this size that are taken before a larger one is tried for the first time.
  static constexpr unsigned first_trial = 16;
  /// Requests before any further try, at most.
  static constexpr unsigned last_trial = 4096;

  explicit RequestSize(std::size_t most) noexcept : most_(most), bytes_(most) {}

  std::size_t bytes() const noexcept { return bytes_; }
  /// True for a request that would be refused once more. A half has the names of all variables, as its whole has, so
  /// that it may be larger than half of that.
  bool is_oversized(std::size_t size) const noexcept { return bytes_ < most_ && size - size / 3 > bytes_; }

  /// A request of this size has not been taken, and is sent in halves.
  void refuse(std::size_t size) noexcept {
    bytes_ = std::max<std::size_t>(1, std::min(bytes_, size / 2));
    if (has_grown_) needed_ = std::min(4 * needed_, last_trial);
    has_grown_ = false;
    taken_ = 0;
  }

  /// A request of this size has been taken. Those that are far smaller tell nothing.
  void take(std::size_t size) noexcept {
    if (size < bytes_ / 2 || ++taken_ < needed_) return;
    taken_ = 0;
    has_grown_ = bytes_ < most_;
    if (!has_grown_) needed_ = first_trial;
    bytes_ = bytes_ > most_ / 2 ? most_ : 2 * bytes_;
  }

 private:
  std::size_t most_;
  std::size_t bytes_;
  unsigned needed_ = first_trial;
  unsigned taken_ = 0;
  /// True while the present size is a try.
  bool has_grown_ = false;
};

}  // namespace mcbackend::http
