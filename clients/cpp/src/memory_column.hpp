// Draws of one column, kept in memory.
#pragma once

#include <cstdint>
#include <mcbackend/types.hpp>
#include <vector>

#include "draw_buffer.hpp"
#include "schema.hpp"
#include "slices.hpp"

namespace mcbackend {

/// Either all draws of the chain, or none: then each is the fill value, which takes no memory.
class MemoryColumn {
 public:
  explicit MemoryColumn(const Column& column) noexcept : column_(&column) {}

  const Column& column() const noexcept { return *column_; }

  /// Makes a draw ready that `commit` appends behind `length` others. It may fail, and changes nothing that is seen.
  void prepare(const Value& value, std::uint64_t length);
  /// The same for a draw without a value.
  void prepare_absent(std::uint64_t length);
  void commit() noexcept;

  /// True where the stored draw has the same shape and bits.
  bool is_same(std::uint64_t index, const Value& value) const;
  bool is_fill(std::uint64_t index) const;

  NdArray at(std::uint64_t index) const;
  /// An array of shape [draws, ...shape]. @throws Error shape_mismatch where the shape varies
  NdArray array_of(const ResolvedSlice& slice) const;
  std::vector<NdArray> list_of(const ResolvedSlice& slice) const;

 private:
  bool has_numbers() const noexcept { return column_->is_rigid && column_->dtype != DType::str; }
  /// Makes the draws that were absent until now.
  void materialise(std::uint64_t length);
  const std::byte* numbers_at(std::uint64_t index) const noexcept {
    return numbers_.data() + index * column_->stride();
  }

  const Column* column_;
  bool is_present_ = false;
  /// Draws of fixed shape, one behind the other.
  GrowingBytes numbers_;
  /// Draws that are strings, or of which each has its own shape.
  std::vector<NdArray> arrays_;
  /// The draw that was made ready: a view for numbers, else an array.
  const void* next_numbers_ = nullptr;
  NdArray next_array_;
  bool has_next_ = false;
};

}  // namespace mcbackend
