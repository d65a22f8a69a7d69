/// @file
/// Values of draws and stats: dtypes, arrays, views on the caller's memory, slices, errors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace mcbackend {

/// The dtypes that a variable can have.
enum class DType : std::uint8_t {
  bool_,
  int8,
  int16,
  int32,
  int64,
  uint8,
  uint16,
  uint32,
  uint64,
  float32,
  float64,
  str
};

/// Name on the wire: "bool", "int8" … "float64", "str".
std::string_view name_of(DType dtype) noexcept;
/// The dtype of that name; nothing for a name that none has.
std::optional<DType> dtype_of(std::string_view name) noexcept;
/// Bytes of an element; 0 for str.
std::size_t size_of(DType dtype) noexcept;

namespace detail {
template <class T>
inline constexpr bool is_character_v =
    std::is_same_v<T, wchar_t> || std::is_same_v<T, char16_t> || std::is_same_v<T, char32_t>;
/// Types of C++ whose values are elements of an array.
template <class T>
inline constexpr bool is_element_v = std::is_same_v<T, bool> || std::is_same_v<T, float> || std::is_same_v<T, double> ||
                                     (std::is_integral_v<T> && !is_character_v<T> && sizeof(T) <= 8);
}  // namespace detail

/// The dtype whose elements a C++ type holds: dtype_for<double>() is float64, dtype_for<long>() int64 or int32.
template <class T>
constexpr DType dtype_for() noexcept {
  static_assert(detail::is_element_v<T>, "no dtype of McBackend has elements of this type");
  if constexpr (std::is_same_v<T, bool>) {
    return DType::bool_;
  } else if constexpr (std::is_same_v<T, float>) {
    return DType::float32;
  } else if constexpr (std::is_same_v<T, double>) {
    return DType::float64;
  } else {
    int log2 = 0;
    for (std::size_t size = sizeof(T); size > 1; size /= 2) ++log2;
    constexpr DType first = std::is_signed_v<T> ? DType::int8 : DType::uint8;
    return static_cast<DType>(static_cast<int>(first) + log2);
  }
}

/// Everything that goes wrong, by a stable code: one of the HTTP API ("draw_conflict", "run_replaced", "shape_mismatch"
/// …; docs/protocol.md §4) or one of the client's own: "transport" (no answer within the time for retries),
/// "invalid_answer" (an answer that is not the server's), "buffer_full" (WhenFull::fail), "closed" (the chain was
/// closed).
class Error : public std::runtime_error {
 public:
  /// An error by its code; `detail` is for people.
  Error(std::string code, const std::string& detail, int status = 0, std::optional<std::uint64_t> length = {})
      : std::runtime_error(code + ": " + detail), code_(std::move(code)), status_(status), length_(length) {}
  /// The code.
  const std::string& code() const noexcept { return code_; }
  /// HTTP status; 0 where there was no answer.
  int status() const noexcept { return status_; }
  /// Length of the chain on the server, of draw_gap and draw_conflict.
  std::optional<std::uint64_t> length() const noexcept { return length_; }

 private:
  std::string code_;
  int status_;
  std::optional<std::uint64_t> length_;
};

/// std::span of C++17: a view on contiguous elements that somebody else keeps.
template <class T>
class View {
 public:
  constexpr View() noexcept = default;
  /// A view on `size` elements.
  constexpr View(const T* data, std::size_t size) noexcept : data_(data), size_(size) {}
  /// A view on a list in braces, for the expression that it stands in.
  // NOLINTNEXTLINE(google-explicit-constructor): lists in braces are how draws are written down.
  View(std::initializer_list<T> list) noexcept : View(list.begin(), list.size()) {}
  /// A view on a vector, which must not grow meanwhile.
  // NOLINTNEXTLINE(google-explicit-constructor)
  View(const std::vector<T>& v) noexcept : data_(v.data()), size_(v.size()) {}
  /// The first element.
  constexpr const T* begin() const noexcept { return data_; }
  /// The place behind the last element.
  constexpr const T* end() const noexcept { return data_ + size_; }
  /// The first element.
  constexpr const T* data() const noexcept { return data_; }
  /// Number of elements.
  constexpr std::size_t size() const noexcept { return size_; }
  /// True without elements.
  constexpr bool empty() const noexcept { return size_ == 0; }
  /// An element; nobody looks whether it is there.
  constexpr const T& operator[](std::size_t i) const noexcept { return data_[i]; }

 private:
  const T* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Lengths of dimensions, the first of which runs slowest; empty for a scalar.
using Shape = std::vector<std::int64_t>;

/// An array in C order, which owns its elements: `bytes` for numbers and booleans (little-endian), `strings` for str.
struct NdArray {
  /// Type of the elements.
  DType dtype = DType::float64;
  /// Shape of the whole.
  Shape shape;
  /// Elements, unless they are strings.
  std::vector<std::byte> bytes;
  /// Elements of dtype str, in UTF-8.
  std::vector<std::string> strings;

  NdArray() = default;
  /// An array of numbers. @throws Error shape_mismatch when there are not as many values as the shape has elements
  template <class T>
  static NdArray of(Shape shape, const std::vector<T>& values);
  /// An array of strings.
  /// @throws Error shape_mismatch when there are not as many values as the shape has elements
  static NdArray of(Shape shape, std::vector<std::string> values);
  /// A vector.
  template <class T>
  static NdArray of(const std::vector<T>& values) {
    return of(Shape{static_cast<std::int64_t>(values.size())}, values);
  }
  /// Number of elements.
  std::size_t size() const noexcept;
  /// The elements. @throws Error dtype_mismatch when T is not the type of this array's elements
  template <class T>
  const T* data() const {
    require(dtype_for<T>());
    return reinterpret_cast<const T*>(bytes.data());
  }
  template <class T>
  /// A copy of the elements.
  /// @throws Error dtype_mismatch when T is not the type of this array's elements
  std::vector<T> to_vector() const {
    const T* p = data<T>();
    return std::vector<T>(p, p + size());
  }
  /// Equal dtype, shape and elements, bit by bit: NaN equals itself, −0 is not 0.
  bool operator==(const NdArray& other) const noexcept;
  /// Another dtype, shape or element.
  bool operator!=(const NdArray& other) const noexcept { return !(*this == other); }

 private:
  void require(DType asked) const;
  static NdArray of_bytes(DType dtype, Shape shape, const void* data, std::size_t count);
};

template <class T>
NdArray NdArray::of(Shape shape, const std::vector<T>& values) {
  static_assert(!std::is_same_v<T, bool>,
                "std::vector<bool> holds bits: use std::vector<std::uint8_t> and DType::bool_");
  return of_bytes(dtype_for<T>(), std::move(shape), values.data(), values.size());
}

/// One value of one variable in one draw: a view on the caller's memory, which must live until `append` has returned.
/// A vector has the variable's shape, in C order; a shape of its own is needed only where the variable's shape varies
/// in more than one dimension.
class Value {
 public:
  // NOLINTBEGIN(google-explicit-constructor): values are written down in braces, beside their names.
  template <class T, class = std::enable_if_t<detail::is_element_v<T>>>
  /// A number or boolean.
  Value(const T& scalar) noexcept : data_(&scalar), count_(1), dtype_(dtype_for<T>()), rank_(0) {}
  template <class T, class A>
  /// Elements of a vector.
  Value(const std::vector<T, A>& v) noexcept : Value(v.data(), v.size()) {
    static_assert(!std::is_same_v<T, bool>, "std::vector<bool> holds bits, not booleans: use an array of bool");
  }
  /// A string, in UTF-8.
  Value(const std::string& scalar) noexcept : data_(&scalar), count_(1), dtype_(DType::str), rank_(0) {}
  /// An array with its shape.
  Value(const NdArray& array) noexcept;
  // NOLINTEND(google-explicit-constructor)
  /// `count` elements; a vector where the shape varies. Empty braces are no count but the shape of a scalar.
  template <class T, class N, class = std::enable_if_t<std::is_integral_v<N>>>
  Value(const T* data, N count) noexcept
      : data_(data), count_(static_cast<std::size_t>(count)), dtype_(element_dtype<T>()), rank_(1) {}
  /// Elements of this shape, of which there must be as many as it says. The shape is a view as well.
  template <class T>
  Value(const T* data, View<std::int64_t> shape) noexcept
      : data_(data), count_(product(shape)), dtype_(element_dtype<T>()), rank_(has_shape), shape_(shape) {}
  /// `count` elements whose dtype is known only at run time.
  template <class N, class = std::enable_if_t<std::is_integral_v<N>>>
  Value(DType dtype, const void* data, N count) noexcept
      : data_(data), count_(static_cast<std::size_t>(count)), dtype_(dtype), rank_(1) {}
  /// The same, of this shape.
  Value(DType dtype, const void* data, View<std::int64_t> shape) noexcept
      : data_(data), count_(product(shape)), dtype_(dtype), rank_(has_shape), shape_(shape) {}

  /// Elements: numbers, or std::string for str.
  const void* data() const noexcept { return data_; }
  /// Number of elements.
  std::size_t count() const noexcept { return count_; }
  /// Type of the elements.
  DType dtype() const noexcept { return dtype_; }
  /// Number of dimensions: of the shape that was given, else 0 for a scalar and 1 for several elements.
  std::size_t ndim() const noexcept { return rank_ == has_shape ? shape_.size() : rank_; }
  /// Length of a dimension.
  std::int64_t dim(std::size_t i) const noexcept {
    return rank_ == has_shape ? shape_[i] : static_cast<std::int64_t>(count_);
  }
  /// True where a shape was given: it must be the variable's, and not only its number of elements.
  bool is_shaped() const noexcept { return rank_ == has_shape; }

 private:
  static constexpr std::uint8_t has_shape = 2;
  template <class T>
  static constexpr DType element_dtype() noexcept {
    if constexpr (std::is_same_v<T, std::string>) {
      return DType::str;
    } else {
      return dtype_for<T>();
    }
  }
  static constexpr std::size_t product(View<std::int64_t> shape) noexcept {
    std::size_t n = 1;
    for (const auto s : shape) n *= static_cast<std::size_t>(s);
    return n;
  }

  const void* data_;
  std::size_t count_;
  DType dtype_;
  std::uint8_t rank_;
  View<std::int64_t> shape_;
};

/// A value and the variable or sampler stat that it is of.
struct NamedValue {
  /// The name as it was registered.
  std::string_view name;
  /// Its value in one draw.
  Value value;
};

/// Python's slice: `{-100, {}, {}}` are the last hundred draws, `{{}, {}, 10}` every tenth.
struct Slice {
  /// First index; a negative one counts from the end.
  std::optional<std::int64_t> start;
  /// Index behind the last.
  std::optional<std::int64_t> stop;
  /// Distance of indices, backwards if it is negative; never 0.
  std::optional<std::int64_t> step;
};

/// Draws of one variable: an array of shape [draws, ...shape] where the variable's shape is fixed, else a list of
/// arrays.
struct Draws {
  Draws() = default;
  // NOLINTBEGIN(google-explicit-constructor)
  /// Draws of a variable of fixed shape.
  Draws(NdArray a) : array(std::move(a)) {}
  /// Draws of a variable whose shape varies.
  Draws(std::vector<NdArray> arrays) : list(std::move(arrays)), is_list(true) {}
  // NOLINTEND(google-explicit-constructor)
  /// All draws in one, where the shape is fixed.
  NdArray array;
  /// An array a draw, where it varies.
  std::vector<NdArray> list;
  /// True where `list` has the draws.
  bool is_list = false;
};

/// Draws and the variable or sampler stat that they are of.
struct NamedDraws {
  /// The name as it was registered.
  std::string name;
  /// As many draws as the batch has iterations.
  Draws draws;
};

/// Consecutive iterations of one chain, column by column.
struct DrawBatch {
  /// Index of the first iteration; the end of what this handle has appended when absent.
  std::optional<std::uint64_t> start;
  /// Number of iterations.
  std::uint32_t count = 0;
  /// Draws of every variable.
  std::vector<NamedDraws> draws;
  /// A sampler stat may be missing; it reads back as its fill value.
  std::vector<NamedDraws> stats;
};

}  // namespace mcbackend
