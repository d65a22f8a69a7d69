// Appended draws of one chain, column by column and nearly as they travel, so that a batch is made by copying blocks of
// bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <mcbackend/types.hpp>
#include <memory>
#include <vector>

#include "schema.hpp"
#include "wire.hpp"

namespace mcbackend {

/// Bytes that grow at their end. Memory that is made is not zeroed, and is kept until the end.
class GrowingBytes {
 public:
  const std::byte* data() const noexcept { return data_.get(); }
  std::size_t size() const noexcept { return size_; }
  void clear() noexcept { size_ = 0; }
  /// Bytes that can be appended before it grows.
  std::size_t room() const noexcept { return capacity_ - size_; }
  /// Makes room, so that appending as many bytes cannot fail.
  void reserve(std::size_t more) {
    if (capacity_ - size_ < more) grow(more);
  }
  /// Appends to room that was reserved.
  void append(const void* from, std::size_t size) noexcept {
    if (size == 8) {
      std::memcpy(data_.get() + size_, from, 8);  // one store
    } else if (size == 1) {
      std::memcpy(data_.get() + size_, from, 1);
    } else if (size != 0) {
      std::memcpy(data_.get() + size_, from, size);
    }
    size_ += size;
  }
  void append_varint(std::uint64_t v) noexcept {
    size_ = static_cast<std::size_t>(wire::put_varint(data_.get() + size_, v) - data_.get());
  }

 private:
  void grow(std::size_t more);

  std::unique_ptr<std::byte[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

class DrawBuffer {
 public:
  explicit DrawBuffer(std::shared_ptr<const Schema> schema);

  /// Copies one draw. When it throws, nothing of the draw is kept.
  /// @param most  bytes that the buffer may have when a stat comes late, whose fills for the draws before it may be far
  /// more than the draw itself
  /// @return false, and nothing is kept, where they would be more: the draw belongs into another buffer then
  /// @throws Error unknown_variable, duplicate_variable, missing_variable, dtype_mismatch, shape_mismatch;
  /// std::bad_alloc
  bool put(View<NamedValue> draw, View<NamedValue> stats,
           std::size_t most = std::numeric_limits<std::size_t>::max());

  std::uint32_t count() const noexcept { return count_; }
  /// Bytes of what was put.
  std::size_t bytes() const noexcept { return bytes_; }
  /// Replaces `out` by a DrawBatch of all draws, the first of which has the index `start`.
  void encode(wire::Bytes& out, std::uint64_t start) const;
  /// Forgets the draws and keeps the memory.
  void clear() noexcept;

 private:
  /// Draws of one column.
  struct Rows {
    /// Numbers, or strings as fields of the message Column.
    GrowingBytes data;
    /// Packed, of columns whose shape varies.
    GrowingBytes shapes;
    /// Draws that are there: all of them, or none of a stat that none has had.
    std::uint32_t rows = 0;
  };

  /// All that an ordinary draw needs of a column whose draws are blocks: side by side, since a draw is mostly waiting for
  /// memory.
  struct Block {
    std::string_view name;
    std::size_t elements;
    std::size_t stride;
    Rows* rows;
    DType dtype;
  };

  /// Copies a draw that has the columns, the order and the dtypes of the one before it, if there is room for it.
  /// @return false, and nothing is kept, for any other one
  bool put_blocks(View<NamedValue> draw, View<NamedValue> stats) noexcept;
  static bool are_blocks(const Block* blocks, View<NamedValue> values) noexcept;
  static void copy_blocks(const Block* blocks, View<NamedValue> values) noexcept;
  /// Notes the order of this draw for `put_blocks`, where its columns allow it.
  void expect_blocks(View<std::uint32_t> draw_order, View<std::uint32_t> stat_order) noexcept;
  /// Makes room for the values of one side of a draw; those of fixed size need no call.
  void reserve_all(const std::vector<Column>& columns, std::vector<Rows>& side, View<NamedValue> values,
                   View<std::uint32_t> order);
  /// Copies them into the room.
  void copy_all(const std::vector<Column>& columns, std::vector<Rows>& side, View<NamedValue> values,
                View<std::uint32_t> order, const std::int64_t*& shape) noexcept;
  /// Makes room, and notes the shape of a value whose shape varies.
  void reserve(const Column& column, Rows& rows, const Value& value);
  /// Copies into the room. @param shape  the shape that was noted, behind which it is left
  void copy(const Column& column, Rows& rows, const Value& value, const std::int64_t*& shape) noexcept;
  /// Bytes of fills that these stats need for the draws before them, or the first sum that is more than `most`.
  std::size_t late_bytes(View<std::uint32_t> present, std::size_t most) const noexcept;
  static std::size_t fill_size(const Column& column) noexcept;
  static void reserve_fill(const Column& column, Rows& rows, std::size_t count);
  void put_fill(const Column& column, Rows& rows) noexcept;
  void fill_absent_stats(View<std::uint32_t> present);

  std::shared_ptr<const Schema> schema_;
  Matcher draw_matcher_, stat_matcher_;
  std::vector<Rows> draws_, stats_;
  std::uint32_t count_ = 0;
  std::size_t bytes_ = 0;
  /// Columns of the last draw in its order, variables before stats, while `spare_draws_` is not 0.
  std::vector<Block> blocks_;
  /// Draws of blocks for which every column has room.
  std::size_t spare_draws_ = 0;
  /// Bytes of a draw, where each of its columns is a block.
  std::size_t block_bytes_ = 0;
  bool has_blocks_only_;
  /// Shapes of the values of one draw that have shapes of their own, each behind its number of dimensions.
  std::vector<std::int64_t> shapes_;
};

}  // namespace mcbackend
