/// @file
/// Stan's column names as variables: "theta.1.2" is an element of the matrix theta. Needs no header of Stan.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "meta.hpp"

namespace mcbackend::stan {

/// A variable or sampler stat, and the columns of Stan's rows that hold it.
struct ColumnGroup {
  /// Its name, dtype and shape.
  Variable variable;
  /// Numbers of its columns in C order of its shape. Stan's first index runs fastest, so that they jump for a matrix.
  std::vector<std::size_t> columns;
  /// True for names that end in "__", which no variable of a model may have.
  bool is_stat = false;
};

/// Parts of this header that are no interface.
namespace detail {

/// Digits of an index at most, so that it fits into 64 bits.
inline constexpr std::size_t most_digits = 10;

/// One column's name, taken apart.
struct ParsedName {
  /// Name of the whole that the element belongs to.
  std::string_view root;
  /// Numbers of parts of tuples, from the outer one inwards.
  std::vector<std::int64_t> parts;
  /// Indices from 1, those of outer arrays first.
  std::vector<std::int64_t> index;
  /// 0 for a real number, 1 and 2 for the real and the imaginary part of a complex one.
  std::size_t half = 0;

  /// Name of the variable: root, parts, half.
  std::string base() const {
    static constexpr std::array<std::string_view, 3> halves{"", ".real", ".imag"};
    std::string name(root);
    for (const auto part : parts) name += ":" + std::to_string(part);
    return name.append(halves.at(half));
  }
};

/// A step at the end of a name: ".3", an index, or ":3", a part of a tuple.
struct Step {
  char kind;
  std::int64_t number;
  std::size_t length;
};

/// The last step of a name that has something before it.
inline std::optional<Step> last_step(std::string_view name) {
  std::size_t digits = 0;
  const auto from_end = [&](std::size_t i) { return name[name.size() - 1 - i]; };
  while (digits < name.size() && from_end(digits) >= '0' && from_end(digits) <= '9') ++digits;
  if (digits == 0 || digits > most_digits || digits + 2 > name.size()) return std::nullopt;
  const char kind = from_end(digits);
  if (kind != '.' && kind != ':') return std::nullopt;
  std::int64_t number = 0;
  for (const char digit : name.substr(name.size() - digits)) number = number * 10 + (digit - '0');
  return Step{kind, number, digits + 1};
}

/// Takes a name apart. Digits that belong to an identifier stay in it: "x2.1" is an element of x2.
inline ParsedName parse_name(std::string_view name) {
  ParsedName parsed;
  for (const auto& [ending, half] : {std::pair<std::string_view, std::size_t>{".real", 1}, {".imag", 2}}) {
    if (name.size() > ending.size() && name.substr(name.size() - ending.size()) == ending) {
      parsed.half = half;
      name.remove_suffix(ending.size());
      break;
    }
  }
  while (const auto step = last_step(name)) {
    (step->kind == '.' ? parsed.index : parsed.parts).push_back(step->number);
    name.remove_suffix(step->length);
  }
  std::reverse(parsed.index.begin(), parsed.index.end());
  std::reverse(parsed.parts.begin(), parsed.parts.end());
  parsed.root = name;
  return parsed;
}

/// Stats that are whole numbers or flags. Stan gives every column as double.
inline DType stat_dtype(std::string_view name) noexcept {
  if (name == "divergent__") return DType::bool_;
  if (name == "treedepth__" || name == "n_leapfrog__" || name == "path__") return DType::int64;
  return DType::float64;
}

/// Columns of one variable while they are collected.
struct Collected {
  /// Order among all: first column of the root, parts, half.
  std::size_t first = 0;
  std::vector<std::int64_t> parts;
  std::size_t half = 0;
  /// Index and number of each column.
  std::vector<std::pair<std::vector<std::int64_t>, std::size_t>> columns;

  bool operator<(const Collected& o) const { return std::tie(first, parts, half) < std::tie(o.first, o.parts, o.half); }
};

/// Elements of a shape; more than `most` counts as one more than that.
inline std::size_t elements_up_to(const Shape& shape, std::size_t most) noexcept {
  std::size_t n = 1;
  for (const auto length : shape) {
    if (length > 0 && n > most / static_cast<std::size_t>(length)) return most + 1;
    n *= static_cast<std::size_t>(length);
  }
  return n;
}

/// Shape of the array whose elements have these indices. @throws Error invalid_parameter where there is none
inline Shape shape_of(const std::string& name, const Collected& collected) {
  Shape shape(collected.columns.front().first.size(), 0);
  for (const auto& entry : collected.columns) {
    const auto& index = entry.first;
    if (index.size() != shape.size()) {
      throw Error("invalid_parameter", "the columns of " + name + " have different numbers of indices");
    }
    for (std::size_t d = 0; d < shape.size(); ++d) {
      if (index[d] < 1) throw Error("invalid_parameter", name + " has the index 0, but Stan counts from 1");
      shape[d] = std::max(shape[d], index[d]);
    }
  }
  return shape;
}

/// Numbers of the columns in C order. @throws Error invalid_parameter where an element is missing, or there twice
inline std::vector<std::size_t> places_of(const std::string& name, const Collected& collected, const Shape& shape) {
  constexpr auto nowhere = static_cast<std::size_t>(-1);
  const auto& columns = collected.columns;
  const auto elements = elements_up_to(shape, columns.size());
  if (elements > columns.size()) {
    throw Error("invalid_parameter",
                "the " + std::to_string(columns.size()) + " columns of " + name + " do not make up an array");
  }
  std::vector<std::size_t> places(elements, nowhere);
  for (const auto& [index, column] : columns) {
    std::size_t at = 0;
    for (std::size_t d = 0; d < shape.size(); ++d) {
      at = at * static_cast<std::size_t>(shape[d]) + static_cast<std::size_t>(index[d] - 1);
    }
    if (places[at] != nowhere) throw Error("invalid_parameter", "a column of " + name + " is there twice");
    places[at] = column;
  }
  if (std::find(places.begin(), places.end(), nowhere) != places.end()) {
    throw Error("invalid_parameter", "the columns of " + name + " do not make up an array");
  }
  return places;
}

/// The variable that some columns make up. @throws Error invalid_parameter where they are no whole array
inline ColumnGroup group_of(const std::string& name, const Collected& collected) {
  const auto shape = shape_of(name, collected);
  const bool is_stat = name.size() > 2 && name.compare(name.size() - 2, 2, "__") == 0;
  return {Variable(name, is_stat ? stat_dtype(name) : DType::float64, shape), places_of(name, collected, shape),
          is_stat};
}

}  // namespace detail

/// Puts the columns of each variable together, in the order of their first columns.
///
/// - "theta.1.2" is an element of `theta`, whatever order the columns have.
/// - "pair.1:2.3" is the second part of the first of an array of tuples: the variable `pair:2` holds that part of all
///   of them, and its shape is the array's, then the part's own.
/// - "z.real" and "z.imag" make the two variables `z.real` and `z.imag`.
/// - An array without elements has no column, so that names do not tell of it.
///
/// @throws Error invalid_parameter for a column that is there twice, and an array that lacks an element
inline std::vector<ColumnGroup> group_columns(const std::vector<std::string>& names) {
  std::map<std::string, detail::Collected> by_name;
  std::map<std::string_view, std::size_t> roots;
  for (std::size_t column = 0; column < names.size(); ++column) {
    auto parsed = detail::parse_name(names[column]);
    const auto first = roots.emplace(parsed.root, column).first->second;
    auto& collected = by_name[parsed.base()];
    collected.first = first;
    collected.parts = std::move(parsed.parts);
    collected.half = parsed.half;
    collected.columns.emplace_back(std::move(parsed.index), column);
  }
  std::vector<std::pair<const std::string, detail::Collected>*> order;
  order.reserve(by_name.size());
  for (auto& entry : by_name) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->second < b->second; });
  std::vector<ColumnGroup> groups;
  groups.reserve(order.size());
  for (const auto* entry : order) groups.push_back(detail::group_of(entry->first, entry->second));
  return groups;
}

}  // namespace mcbackend::stan
