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
  /// Name, of at most 256 code points.
  std::string name;
  /// Type of its elements.
  DType dtype = DType::float64;
  /// Shape of one draw: {} is a scalar, −1 a dimension that varies from draw to draw.
  Shape shape;
  /// Names of the dimensions; empty when they have none.
  std::vector<std::string> dims;
  /// True for what follows from other variables.
  bool is_deterministic = false;
  /// The number of dimensions varies from draw to draw; `shape` then means nothing.
  bool undefined_ndim = false;

  Variable() = default;
  /// A variable of fixed shape, by default a scalar float64.
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
  /// Shape of the whole.
  Shape shape;
  /// Elements in C order, little-endian; strings as UTF-32 of fixed width.
  std::vector<std::byte> bytes;

  MetaArray() = default;
  /// Numbers, booleans or strings.
  // NOLINTNEXTLINE(google-explicit-constructor)
  MetaArray(const NdArray& array);
  /// A vector of strings.
  // NOLINTNEXTLINE(google-explicit-constructor): labels are most often strings. @param labels in UTF-8
  MetaArray(const std::vector<std::string>& labels);
  template <class T>
  /// A vector of numbers.
  MetaArray(const std::vector<T>& values)  // NOLINT(google-explicit-constructor)
      : MetaArray(NdArray::of(values)) {}
  /// The array with strings in UTF-8 and times as int64. @throws Error unsupported_dtype for a dtype that has no such array
  NdArray to_array() const;
  /// Equal dtype, shape and bytes.
  bool operator==(const MetaArray& o) const noexcept { return dtype == o.dtype && shape == o.shape && bytes == o.bytes; }
};

/// Labels along one named dimension.
struct Coordinate {
  /// Name of the dimension.
  std::string name;
  /// Labels, one for each place.
  MetaArray values;
};

/// Constant or observed data of the model.
struct DataVariable {
  /// Name, of at most 256 code points.
  std::string name;
  /// The data.
  MetaArray value;
  /// Names of its dimensions; empty when they have none.
  std::vector<std::string> dims;
  /// True for observations, false for constants.
  bool is_observed = false;
};

/// A value as JSON has it.
struct Json {
  /// Values in a row.
  using List = std::vector<Json>;
  /// Values by name.
  using Object = std::map<std::string, Json>;
  /// The value itself.
  std::variant<std::nullptr_t, bool, double, std::string, List, Object> value = nullptr;
  /// Equal kind and value.
  bool operator==(const Json& o) const { return value == o.value; }
};

/// A moment, in UTC.
struct Timestamp {
  /// Seconds since 1970.
  std::int64_t seconds = 0;
  /// Nanoseconds behind them: 0 to 999,999,999.
  std::int32_t nanos = 0;
};
/// A length of time.
struct Duration {
  /// Whole seconds.
  std::int64_t seconds = 0;
  /// Nanoseconds beside them, of the same sign.
  std::int32_t nanos = 0;
};

/// A value of RunMeta.attributes: McBackend's ExtendedValue. std::monostate is a value without a kind.
using Attribute = std::variant<std::monostate, std::nullptr_t, double, std::string, bool, Json::Object, Json::List,
                               Timestamp, Duration, MetaArray>;

/// Everything that is known about a run before its first draw.
struct RunMeta {
  /// 1–128 characters of A-Z a-z 0-9 . _ ~ -; one is made where it is empty (`init_run`).
  std::string rid;
  /// Variables of the model.
  std::vector<Variable> variables;
  /// Quantities of the sampler, such as its log density. A bool called in_warmup or tune marks warmup.
  std::vector<Variable> sample_stats;
  /// Labels of dimensions.
  std::vector<Coordinate> coordinates;
  /// Data of the model.
  std::vector<DataVariable> data;
  /// Anything else, by name.
  std::map<std::string, Attribute> attributes;
};

/// The message as bytes of protobuf.
std::string encode_meta(const RunMeta& meta);
/// @throws Error invalid_protobuf, unsupported_dtype
RunMeta decode_meta(std::string_view bytes);

}  // namespace mcbackend
