// Dtypes and arrays: what the templates of types.hpp leave to be compiled once.
#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <mcbackend/types.hpp>

namespace mcbackend {
namespace {

struct DTypeFacts {
  std::string_view name;
  std::size_t size;
};

constexpr std::array<DTypeFacts, 12> dtypes{{{"bool", 1},
                                             {"int8", 1},
                                             {"int16", 2},
                                             {"int32", 4},
                                             {"int64", 8},
                                             {"uint8", 1},
                                             {"uint16", 2},
                                             {"uint32", 4},
                                             {"uint64", 8},
                                             {"float32", 4},
                                             {"float64", 8},
                                             {"str", 0}}};

std::string text_of(const Shape& shape) {
  std::string text = "[";
  for (const auto n : shape) text += (text.size() > 1 ? "," : "") + std::to_string(n);
  return text + "]";
}

/// Elements of an array of this shape; nothing where a dimension is negative or memory could not hold as many.
std::optional<std::size_t> elements_of(const Shape& shape) noexcept {
  std::size_t n = 1;
  if (std::any_of(shape.begin(), shape.end(), [](std::int64_t s) { return s < 0; })) return {};
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  for (const auto s : shape) {
    if (n > std::numeric_limits<std::ptrdiff_t>::max() / static_cast<std::size_t>(s)) return {};
    n *= static_cast<std::size_t>(s);
  }
  return n;
}

void require_elements(const Shape& shape, std::size_t count) {
  if (elements_of(shape) == count) return;
  throw Error("shape_mismatch",
              "an array of shape " + text_of(shape) + " cannot have " + std::to_string(count) + " elements");
}

}  // namespace

std::string_view name_of(DType dtype) noexcept { return dtypes[static_cast<std::size_t>(dtype)].name; }

std::size_t size_of(DType dtype) noexcept { return dtypes[static_cast<std::size_t>(dtype)].size; }

std::optional<DType> dtype_of(std::string_view name) noexcept {
  for (std::size_t i = 0; i < dtypes.size(); ++i) {
    if (dtypes[i].name == name) return static_cast<DType>(i);
  }
  return {};
}

std::size_t NdArray::size() const noexcept {
  return dtype == DType::str ? strings.size() : bytes.size() / size_of(dtype);
}

bool NdArray::operator==(const NdArray& other) const noexcept {
  return dtype == other.dtype && shape == other.shape && bytes == other.bytes && strings == other.strings;
}

void NdArray::require(DType asked) const {
  if (dtype == asked) return;
  throw Error("dtype_mismatch",
              "the elements of this array are " + std::string(name_of(dtype)) + ", not " + std::string(name_of(asked)));
}

NdArray NdArray::of_bytes(DType dtype, Shape shape, const void* data, std::size_t count) {
  require_elements(shape, count);
  NdArray array;
  array.dtype = dtype;
  array.shape = std::move(shape);
  array.bytes.resize(count * size_of(dtype));
  if (count > 0) std::memcpy(array.bytes.data(), data, array.bytes.size());
  return array;
}

NdArray NdArray::of(Shape shape, std::vector<std::string> values) {
  require_elements(shape, values.size());
  NdArray array;
  array.dtype = DType::str;
  array.shape = std::move(shape);
  array.strings = std::move(values);
  return array;
}

// The count is that of the elements which are there, so that a shape which promises more is found out before anything
// is read.
Value::Value(const NdArray& array) noexcept
    : data_(array.dtype == DType::str ? static_cast<const void*>(array.strings.data()) : array.bytes.data()),
      count_(array.size()),
      dtype_(array.dtype),
      rank_(has_shape),
      shape_(array.shape) {}

}  // namespace mcbackend
