/// @file
/// Metadata of a run: variables, sampler stats, coordinates, data, attributes. The messages of protobufs/meta.proto.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "types.hpp"

namespace mcbackend {

/// A model variable or a sampler stat.
struct Variable {
  std::string name;
  DType dtype = DType::float64;
  /// Shape of one draw: {} is a scalar, −1 a dimension that varies from draw to draw.
  Shape shape;
  /// Names of the dimensions; empty when they have none.
  std::vector<std::string> dims;
  bool is_deterministic = false;
  /// The number of dimensions varies from draw to draw; `shape` then means nothing.
  bool undefined_ndim = false;

  Variable() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): most variables are scalars of which there is only a name to say.
  Variable(std::string of, DType type = DType::float64, Shape form = {}, std::vector<std::string> dimensions = {})
      : name(std::move(of)), dtype(type), shape(std::move(form)), dims(std::move(dimensions)) {}

  /// True where all draws have the same shape.
  bool is_rigid() const noexcept;
  /// Elements of one draw of a rigid variable.
  std::size_t elements() const noexcept;
};

/// An array of metadata, by NumPy's name of its dtype: also what no variable can be, such as "datetime64[ns]" (int64 on the wire).
struct MetaArray {
  /// "float64", "<U5", "datetime64[ns]" …
  std::string dtype;
  Shape shape;
  /// Elements in C order, little-endian; strings as UTF-32 of fixed width.
  std::vector<std::byte> bytes;

  MetaArray() = default;
  // NOLINTNEXTLINE(google-explicit-constructor)
  MetaArray(const NdArray& array);
  // NOLINTNEXTLINE(google-explicit-constructor): labels are most often strings. @param labels in UTF-8
  MetaArray(const std::vector<std::string>& labels);
  template <class T>
  MetaArray(const std::vector<T>& values)  // NOLINT(google-explicit-constructor)
      : MetaArray(NdArray::of(values)) {}
  /// The array with strings in UTF-8 and times as int64. @throws Error unsupported_dtype for a dtype that has no such array
  NdArray to_array() const;
  bool operator==(const MetaArray& o) const noexcept { return dtype == o.dtype && shape == o.shape && bytes == o.bytes; }
};

/// Labels along one named dimension.
struct Coordinate {
  std::string name;
  MetaArray values;
};

/// Constant or observed data of the model.
struct DataVariable {
  std::string name;
  MetaArray value;
  std::vector<std::string> dims;
  bool is_observed = false;
};

/// A value as JSON has it.
struct Json {
  using List = std::vector<Json>;
  using Object = std::map<std::string, Json>;
  std::variant<std::nullptr_t, bool, double, std::string, List, Object> value = nullptr;
  bool operator==(const Json& o) const { return value == o.value; }
};

/// Seconds and nanoseconds: since 1970 (Timestamp), or a length of time (Duration).
struct Timestamp {
  std::int64_t seconds = 0;
  std::int32_t nanos = 0;
};
struct Duration {
  std::int64_t seconds = 0;
  std::int32_t nanos = 0;
};

/// A value of RunMeta.attributes: McBackend's ExtendedValue. std::monostate is a value without a kind.
using Attribute = std::variant<std::monostate, std::nullptr_t, double, std::string, bool, Json::Object, Json::List,
                               Timestamp, Duration, MetaArray>;

/// Everything that is known about a run before its first draw.
struct RunMeta {
  /// 1–128 characters of A-Z a-z 0-9 . _ ~ -; one is made where it is empty (`init_run`).
  std::string rid;
  std::vector<Variable> variables;
  std::vector<Variable> sample_stats;
  std::vector<Coordinate> coordinates;
  std::vector<DataVariable> data;
  std::map<std::string, Attribute> attributes;
};

/// The message as bytes of protobuf.
std::string encode_meta(const RunMeta& meta);
/// @throws Error invalid_protobuf, unsupported_dtype
RunMeta decode_meta(std::string_view bytes);

}  // namespace mcbackend
