/// @file
/// Rows of Stan as draws: doubles in Stan's order in, named values in C order out. Needs no header of Stan.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "stan_names.hpp"

namespace mcbackend::stan {

/// Variables and stats of one run of Stan, and room for one draw of them.
class RowLayout {
 public:
  /// @param names as Stan gives them
  /// @param declared variables of which more is known than Stan tells: dimensions, int64 or bool as dtype, and arrays
  /// without elements, which have no column
  /// @param flag name of a stat that is no column of Stan's; empty for none
  /// @throws Error invalid_parameter, unknown_variable, shape_mismatch, unsupported_dtype
  RowLayout(const std::vector<std::string>& names, const std::vector<Variable>& declared, const std::string& flag)
      : width_(names.size()), has_flag_(!flag.empty()) {
    std::vector<bool> is_used(declared.size(), false);
    for (auto& group : group_columns(names)) {
      for (std::size_t i = 0; i < declared.size() && !group.is_stat; ++i) {
        if (declared[i].name != group.variable.name) continue;
        group.variable = merged(declared[i], group.variable);
        is_used[i] = true;
      }
      add(std::move(group.variable), group.is_stat, group.columns);
    }
    for (std::size_t i = 0; i < declared.size(); ++i) {
      if (is_used[i]) continue;
      if (!declared[i].is_rigid() || declared[i].elements() > 0) {
        throw Error("unknown_variable", "the model has no " + declared[i].name + ", which the metadata name");
      }
      add(declared[i], false, {});
    }
    if (has_flag_) add(Variable(flag, DType::bool_), true, {});
    bind();
  }
  RowLayout(const RowLayout&) = delete;
  RowLayout& operator=(const RowLayout&) = delete;
  ~RowLayout() = default;

  /// Variables, or stats, in the order of the values.
  std::vector<Variable> variables(bool of_stats) const {
    std::vector<Variable> chosen;
    for (const auto& field : fields_) {
      if (field.is_stat == of_stats) chosen.push_back(field.variable);
    }
    return chosen;
  }
  /// Takes a row in. @throws Error shape_mismatch for one of another length; dtype_mismatch for 0.5 as an int64
  void take(const double* row, std::size_t count, bool flag) {
    if (count != width_) {
      throw Error("shape_mismatch",
                  "Stan gave " + std::to_string(count) + " values under " + std::to_string(width_) + " names");
    }
    for (std::size_t i = 0; i < count; ++i) values_[i] = row[order_[i]];
    for (const auto index : converted_) convert(fields_[index]);
    if (has_flag_) fields_.back().flags[0] = flag;
  }
  /// The row that was taken last, until the next one.
  View<NamedValue> draw() const noexcept { return draw_; }
  /// Stats of the row that was taken last.
  View<NamedValue> stats() const noexcept { return stats_; }

 private:
  /// A variable or stat, its place in `values_`, and its elements where they are no doubles.
  struct Field {
    Variable variable;
    bool is_stat;
    std::size_t first, count;
    std::vector<std::int64_t> numbers;
    std::unique_ptr<bool[]> flags;
  };

  /// The variable as it is declared, in the shape that Stan tells.
  static Variable merged(const Variable& declared, const Variable& of_stan) {
    const auto dtype = declared.dtype;
    if (dtype != DType::float64 && dtype != DType::int64 && dtype != DType::bool_) {
      throw Error("unsupported_dtype",
                  declared.name + " can be float64, int64 or bool in Stan, not " + std::string(name_of(dtype)));
    }
    if (declared.undefined_ndim || (!declared.shape.empty() && declared.shape != of_stan.shape)) {
      throw Error("shape_mismatch", declared.name + " has another shape in the metadata than in the model");
    }
    Variable both = declared;
    both.shape = of_stan.shape;
    return both;
  }

  void add(Variable variable, bool is_stat, const std::vector<std::size_t>& columns) {
    Field field{std::move(variable), is_stat, order_.size(), columns.size(), {}, nullptr};
    // The flag of warmup has an element, but no column.
    const auto elements = std::max<std::size_t>(columns.size(), 1);
    if (field.variable.dtype == DType::int64) field.numbers.resize(elements);
    if (field.variable.dtype == DType::bool_) field.flags = std::make_unique<bool[]>(elements);
    if (field.variable.dtype != DType::float64 && !columns.empty()) converted_.push_back(fields_.size());
    order_.insert(order_.end(), columns.begin(), columns.end());
    fields_.push_back(std::move(field));
  }

  /// Makes the values, which are views on what from now on stays in its place. They have no shapes, which would be
  /// compared in each draw: their numbers of elements are enough.
  void bind() {
    values_.resize(order_.size());
    for (const auto& field : fields_) {
      const bool is_flag = has_flag_ && &field == &fields_.back();
      (field.is_stat ? stats_ : draw_).push_back({field.variable.name, value_of(field, is_flag ? 1 : field.count)});
    }
  }
  Value value_of(const Field& field, std::size_t count) const {
    if (field.variable.dtype == DType::int64) return {field.numbers.data(), count};
    if (field.variable.dtype == DType::bool_) return {field.flags.get(), count};
    return {values_.data() + field.first, count};
  }

  void convert(Field& field) const {
    constexpr double beyond = 9223372036854775808.0;
    for (std::size_t i = 0; i < field.count; ++i) {
      const double value = values_[field.first + i];
      const bool is_flag = field.variable.dtype == DType::bool_;
      const bool fits = is_flag ? value == 0 || value == 1
                                : value >= -beyond && value < beyond && std::trunc(value) == value;
      if (!fits) {
        throw Error("dtype_mismatch", field.variable.name + " has the value " + std::to_string(value) +
                                          ", which is no " + std::string(name_of(field.variable.dtype)));
      }
      if (is_flag) {
        field.flags[i] = value != 0;
      } else {
        field.numbers[i] = static_cast<std::int64_t>(value);
      }
    }
  }

  std::size_t width_;
  bool has_flag_;
  std::vector<Field> fields_;
  /// Fields with columns whose elements are no doubles.
  std::vector<std::size_t> converted_;
  /// Column of each value, and the values of the row that was taken last.
  std::vector<std::size_t> order_;
  std::vector<double> values_;
  std::vector<NamedValue> draw_, stats_;
};

}  // namespace mcbackend::stan
