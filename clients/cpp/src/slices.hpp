// Python's slices: the iterations of a chain that one selects.
#pragma once

#include <cstdint>
#include <mcbackend/types.hpp>

namespace mcbackend {

/// The iterations first, first + step, … of which there are `count`; `first` is 0 when there is none.
struct ResolvedSlice {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  std::int64_t step = 1;

  /// Index of the i-th iteration.
  std::uint64_t at(std::uint64_t i) const noexcept { return first + i * static_cast<std::uint64_t>(step); }
};

/// As CPython's PySlice_AdjustIndices: negative bounds count from the end, and what lies outside is clamped.
/// @throws Error invalid_slice when the step is 0
ResolvedSlice resolve(const Slice& slice, std::uint64_t length);

}  // namespace mcbackend
