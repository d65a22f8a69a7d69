// The columns of a run: variables and sampler stats in the form that appending and reading need. Made once a run.
#pragma once

#include <cstdint>
#include <mcbackend/meta.hpp>
#include <mcbackend/types.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace mcbackend {

/// A variable or a sampler stat.
struct Column {
  std::string name;
  DType dtype = DType::float64;
  bool is_stat = false;
  bool is_rigid = true;
  /// True for numbers of fixed shape whose bytes are all allowed: their check is a comparison of dtype and count.
  bool is_plain = false;
  /// True for numbers of fixed shape, booleans among them: a draw is a block of `stride()` bytes.
  bool is_block = false;
  /// False where even the number of dimensions varies.
  bool has_ndim = true;
  /// Shape of one draw; −1 where a dimension varies.
  Shape shape;
  /// Elements of one draw of a rigid column.
  std::size_t elements = 0;
  /// Bytes of an element; 0 for str.
  std::size_t item_size = 0;
  /// Name and dtype as fields of the message Column.
  std::string head;
  /// Elements of the fill value.
  std::size_t fill_elements = 0;
  /// Shape of the fill value.
  Shape fill_shape;

  /// "variable “theta”", for errors.
  std::string label() const;
  /// Bytes of a draw of a rigid column of numbers.
  std::size_t stride() const noexcept { return elements * item_size; }
  /// True where a draw may have this shape.
  bool fits(const Shape& of_draw) const noexcept;
  /// The value of a draw that has none: NaN, 0, false or "".
  NdArray fill() const;
};

/// Bytes of one element of the fill value, of a dtype of numbers.
std::string_view fill_element(DType dtype) noexcept;

class Schema {
 public:
  /// @throws Error invalid_run_meta for names and shapes that no run can have
  explicit Schema(const RunMeta& meta);
  // Its indices are of names within itself.
  Schema(const Schema&) = delete;
  Schema& operator=(const Schema&) = delete;

  const std::vector<Column>& draws() const noexcept { return draws_; }
  const std::vector<Column>& stats() const noexcept { return stats_; }
  /// Null when there is none of that name.
  const Column* find_draw(std::string_view name) const noexcept { return find(draws_, draw_index_, name); }
  const Column* find_stat(std::string_view name) const noexcept { return find(stats_, stat_index_, name); }

 private:
  using Index = std::unordered_map<std::string_view, std::uint32_t>;
  static const Column* find(const std::vector<Column>& columns, const Index& index, std::string_view name) noexcept;

  std::vector<Column> draws_, stats_;
  Index draw_index_, stat_index_;
};

std::shared_ptr<const Schema> schema_of(const RunMeta& meta);

/// Elements of an array of this shape. Nothing where a dimension is negative, or where there are more than `most`.
std::optional<std::size_t> elements_of(View<std::int64_t> shape, std::size_t most = std::size_t{1} << 40) noexcept;

/// "[2,3]".
std::string text_of(View<std::int64_t> shape);

/// Shape of a value of one draw of this column. @throws Error shape_mismatch
Shape shape_of_draw(const Column& column, const Value& value);

/// @throws Error dtype_mismatch, shape_mismatch
void check_value_in_full(const Column& column, const Value& value);

inline void check_value(const Column& column, const Value& value) {
  const bool is_sure =
      column.is_plain && value.dtype() == column.dtype && value.count() == column.elements && !value.is_shaped();
  if (!is_sure) check_value_in_full(column, value);
}

/// Finds the columns of values, and checks the values. Draws name their values in the same order again and again, so
/// the order of the last one is tried first.
class Matcher {
 public:
  Matcher(const Schema& schema, bool is_stats);

  /// The index of each value's column; valid until the next call.
  /// @throws Error unknown_variable, duplicate_variable, missing_variable, dtype_mismatch, shape_mismatch
  View<std::uint32_t> match(View<NamedValue> values) {
    if (values.size() != order_.size()) return match_anew(values);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const Column& column = columns_[order_[i]];
      if (column.name != values[i].name) return match_anew(values);
      check_value(column, values[i].value);
    }
    return order_;
  }

 private:
  View<std::uint32_t> match_anew(View<NamedValue> values);

  const Schema& schema_;
  const std::vector<Column>& columns_;
  bool is_stats_;
  std::vector<std::uint32_t> order_, tried_;
};

}  // namespace mcbackend
