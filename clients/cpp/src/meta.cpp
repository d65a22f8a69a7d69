// Metadata in memory: shapes of variables, and arrays between NumPy's names of dtypes and those of draws.
#include <algorithm>
#include <charconv>
#include <limits>
#include <mcbackend/interfaces.hpp>
#include <mcbackend/meta.hpp>

#include "schema.hpp"
#include "utf8.hpp"

namespace mcbackend {
namespace {

/// Elements of a dtype of NumPy, as far as arrays can be made of them.
struct NumpyDType {
  DType dtype;
  std::size_t item_size;
  bool is_big_endian;
};

std::optional<std::size_t> number_of(std::string_view digits) {
  std::size_t n = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
  if (error != std::errc() || end != digits.data() + digits.size()) return {};
  return n;
}

bool is_time(std::string_view name) {
  return name.substr(0, 10) == "datetime64" || name.substr(0, 11) == "timedelta64" || name.substr(0, 2) == "M8" ||
         name.substr(0, 2) == "m8";
}

/// A dtype by NumPy's name of it: "float64", "<f8", ">i4", "<U5", "datetime64[ns]", "|b1" …
std::optional<NumpyDType> numpy_dtype(std::string_view name) {
  if (const auto dtype = dtype_of(name); dtype && *dtype != DType::str)
    return NumpyDType{*dtype, size_of(*dtype), false};
  const bool has_order = !name.empty() && std::string_view("<>=|").find(name.front()) != std::string_view::npos;
  const bool is_big = has_order && name.front() == '>';
  if (has_order) name.remove_prefix(1);
  if (is_time(name)) return NumpyDType{DType::int64, 8, is_big};
  if (name == "?" || name == "b1") return NumpyDType{DType::bool_, 1, false};
  const auto size = name.empty() ? std::nullopt : number_of(name.substr(1));
  if (!size) return {};
  if (name.front() == 'U' && *size <= std::numeric_limits<std::int32_t>::max())
    return NumpyDType{DType::str, 4 * *size, is_big};
  constexpr std::string_view kinds[] = {"int", "uint", "float"};
  for (const auto kind : kinds) {
    if (kind.front() != name.front() || *size > 8) continue;
    if (const auto dtype = dtype_of(std::string(kind) + std::to_string(8 * *size)))
      return NumpyDType{*dtype, *size, is_big};
  }
  return {};
}

void swap_bytes(std::vector<std::byte>& bytes, std::size_t item_size) {
  for (auto at = bytes.begin(); at != bytes.end(); at += static_cast<std::ptrdiff_t>(item_size)) {
    std::reverse(at, at + static_cast<std::ptrdiff_t>(item_size));
  }
}

/// Makes 1 of each byte but 0, as NumPy reads them: no other byte is a bool.
void make_booleans(std::vector<std::byte>& bytes) {
  for (auto& byte : bytes) byte = std::byte{byte != std::byte{0}};
}

void require_text(const std::string& text) {
  if (!is_utf8(text)) throw Error("invalid_run_meta", "a text of an array is no UTF-8");
  if (!text.empty() && text.back() == '\0') {
    throw Error("invalid_run_meta", "a text of an array ends in U+0000, which texts of fixed width cannot");
  }
}

MetaArray array_of_texts(Shape shape, const std::vector<std::string>& texts) {
  std::size_t width = 1;  // NumPy has none of width 0
  for (const auto& text : texts) {
    require_text(text);
    width = std::max(width, code_points(text));
  }
  MetaArray array;
  array.dtype = "<U" + std::to_string(width);
  array.shape = std::move(shape);
  array.bytes = to_utf32(texts, width);
  return array;
}

}  // namespace

bool Variable::is_rigid() const noexcept {
  return !undefined_ndim && std::none_of(shape.begin(), shape.end(), [](std::int64_t n) { return n < 0; });
}

std::size_t Variable::elements() const noexcept {
  std::size_t n = 1;
  for (const auto s : shape) n *= static_cast<std::size_t>(s);
  return n;
}

MetaArray::MetaArray(const NdArray& array) {
  if (elements_of(array.shape) != array.size()) {
    throw Error("shape_mismatch", "an array of shape " + text_of(array.shape) + " cannot have " +
                                      std::to_string(array.size()) + " elements");
  }
  if (array.dtype == DType::str) {
    *this = array_of_texts(array.shape, array.strings);
    return;
  }
  dtype = name_of(array.dtype);
  shape = array.shape;
  bytes = array.bytes;
}

MetaArray::MetaArray(const std::vector<std::string>& labels)
    : MetaArray(array_of_texts({static_cast<std::int64_t>(labels.size())}, labels)) {}

NdArray MetaArray::to_array() const {
  const auto known = numpy_dtype(dtype);
  if (!known)
    throw Error("unsupported_dtype",
                "an array of dtype \"" + dtype + "\" has no counterpart among the dtypes of draws");
  const auto count = elements_of(shape);
  const auto size = known->item_size;
  // Texts without width take no byte, so that a shape could promise any number of them.
  const bool fits =
      count && (size == 0 ? bytes.empty() && count == 0U : bytes.size() % size == 0 && bytes.size() / size == *count);
  if (!fits) {
    throw Error("shape_mismatch", "an array of dtype " + dtype + " and shape " + text_of(shape) + " cannot have " +
                                      std::to_string(bytes.size()) + " bytes");
  }
  NdArray array;
  array.dtype = known->dtype;
  array.shape = shape;
  if (known->dtype == DType::str) {
    array.strings = from_utf32(bytes, size / 4, known->is_big_endian);
  } else {
    array.bytes = bytes;
    if (known->is_big_endian) swap_bytes(array.bytes, size);
    if (known->dtype == DType::bool_) make_booleans(array.bytes);
  }
  return array;
}

std::map<std::string, NdArray> Run::coords() const {
  std::map<std::string, NdArray> all;
  for (const auto& c : meta().coordinates) all.insert_or_assign(c.name, c.values.to_array());
  return all;
}

std::map<std::string, std::vector<std::string>> Run::dims() const {
  std::map<std::string, std::vector<std::string>> all;
  const auto add = [&all](const auto& named) {
    if (!named.dims.empty()) all.insert_or_assign(named.name, named.dims);
  };
  for (const auto& v : meta().variables) add(v);
  for (const auto& d : meta().data) add(d);
  return all;
}

namespace {

std::map<std::string, NdArray> data_of(const RunMeta& meta, bool is_observed) {
  std::map<std::string, NdArray> all;
  for (const auto& d : meta.data) {
    if (d.is_observed == is_observed) all.insert_or_assign(d.name, d.value.to_array());
  }
  return all;
}

}  // namespace

std::map<std::string, NdArray> Run::constant_data() const { return data_of(meta(), false); }

std::map<std::string, NdArray> Run::observed_data() const { return data_of(meta(), true); }

}  // namespace mcbackend
