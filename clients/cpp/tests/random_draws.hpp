// Random draws of every dtype and shape, and what tests ask of them.
#pragma once

#include <functional>
#include <mcbackend/mcbackend.hpp>
#include <random>
#include <string>
#include <vector>

#include "schema.hpp"

namespace mcbackend::test {

inline constexpr DType all_dtypes[] = {DType::bool_,  DType::int8,    DType::int16,   DType::int32,
                                       DType::int64,  DType::uint8,   DType::uint16,  DType::uint32,
                                       DType::uint64, DType::float32, DType::float64, DType::str};

/// The code of the error that the action throws; empty where it throws none.
inline std::string code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  return "";
}

/// Variables and stats of every dtype: scalars, fixed shapes, shapes that vary, and numbers of dimensions that do.
inline RunMeta everything() {
  RunMeta meta;
  for (const auto dtype : all_dtypes) {
    const auto name = std::string(name_of(dtype));
    for (auto* side : {&meta.variables, &meta.sample_stats}) {
      side->emplace_back(name, dtype);
      side->emplace_back(name + "[2,3]", dtype, Shape{2, 3});
      side->emplace_back(name + "[0]", dtype, Shape{0});
      side->emplace_back(name + "[-1,2]", dtype, Shape{-1, 2});
      side->emplace_back(name + " any", dtype);
      side->back().undefined_ndim = true;
    }
  }
  return meta;
}

/// Random draws, with all bit patterns of numbers.
class RandomDraws {
 public:
  explicit RandomDraws(unsigned seed) : random_(seed) {}

  Shape shape_of(const Variable& v) {
    if (v.undefined_ndim) return Shape(random_() % 4, static_cast<std::int64_t>(random_() % 3));
    Shape shape = v.shape;
    for (auto& n : shape) {
      if (n < 0) n = static_cast<std::int64_t>(random_() % 4);
    }
    return shape;
  }

  NdArray draw_of(const Variable& v) {
    NdArray array;
    array.dtype = v.dtype;
    array.shape = shape_of(v);
    const auto count = elements_of(array.shape).value();
    if (v.dtype == DType::str) {
      constexpr const char* texts[] = {"", "a", "μ", "😀 and more than fits into a small string"};
      for (std::size_t i = 0; i < count; ++i) array.strings.emplace_back(texts[random_() % 4]);
      if (count > 0) array.strings.back().push_back('\0');
      return array;
    }
    array.bytes.resize(count * size_of(v.dtype));
    for (auto& b : array.bytes) b = static_cast<std::byte>(v.dtype == DType::bool_ ? random_() % 2 : random_() % 256);
    return array;
  }

  std::vector<NdArray> row(const std::vector<Variable>& variables) {
    std::vector<NdArray> arrays;
    for (const auto& v : variables) arrays.push_back(draw_of(v));
    return arrays;
  }

  std::mt19937& random() { return random_; }

 private:
  std::mt19937 random_;
};

inline std::vector<NamedValue> named(const std::vector<Variable>& variables, const std::vector<NdArray>& row) {
  std::vector<NamedValue> values;
  for (std::size_t i = 0; i < row.size(); ++i) values.push_back({variables[i].name, row[i]});
  return values;
}

using Rows = std::vector<std::vector<NdArray>>;

/// The rows as a batch without a start.
inline DrawBatch batch_of(const RunMeta& meta, const Schema& schema, const Rows& rows, const Rows& stats) {
  DrawBatch batch;
  batch.count = static_cast<std::uint32_t>(rows.size());
  const auto add = [](const std::vector<Variable>& variables, const std::vector<Column>& columns, const Rows& from,
                      std::vector<NamedDraws>& to) {
    for (std::size_t c = 0; c < variables.size(); ++c) {
      std::vector<NdArray> list;
      for (const auto& row : from) list.push_back(row[c]);
      if (!columns[c].is_rigid) {
        to.push_back({variables[c].name, list});
        continue;
      }
      NdArray all = list.front();
      all.shape.insert(all.shape.begin(), static_cast<std::int64_t>(list.size()));
      for (std::size_t i = 1; i < list.size(); ++i) {
        all.bytes.insert(all.bytes.end(), list[i].bytes.begin(), list[i].bytes.end());
        all.strings.insert(all.strings.end(), list[i].strings.begin(), list[i].strings.end());
      }
      to.push_back({variables[c].name, all});
    }
  };
  add(meta.variables, schema.draws(), rows, batch.draws);
  add(meta.sample_stats, schema.stats(), stats, batch.stats);
  return batch;
}

}  // namespace mcbackend::test
