// Arithmetic of slices that does not overflow.
#include "slices.hpp"

#include <algorithm>
#include <limits>

namespace mcbackend {

ResolvedSlice resolve(const Slice& slice, std::uint64_t length) {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  if (slice.step == 0) throw Error("invalid_slice", "the step of a slice cannot be 0");
  const auto n = static_cast<std::int64_t>(std::min(length, static_cast<std::uint64_t>(most)));
  const auto step = std::max(slice.step.value_or(1), -most);
  const bool is_forward = step > 0;
  const std::int64_t low = is_forward ? 0 : -1;
  const std::int64_t high = is_forward ? n : n - 1;
  const auto bound = [&](std::optional<std::int64_t> value, std::int64_t absent) {
    if (!value) return absent;
    return std::clamp(*value < 0 ? *value + n : *value, low, high);
  };
  const auto start = bound(slice.start, is_forward ? low : high);
  const auto stop = bound(slice.stop, is_forward ? high : low);
  const auto span = is_forward ? stop - start : start - stop;
  if (span <= 0) return {0, 0, step};
  const auto stride = static_cast<std::uint64_t>(is_forward ? step : -step);
  return {static_cast<std::uint64_t>(start), (static_cast<std::uint64_t>(span) - 1) / stride + 1, step};
}

}  // namespace mcbackend
