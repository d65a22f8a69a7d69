// Columns of a run, and the checks that values must pass before they are kept.
#include "schema.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

#include "utf8.hpp"
#include "wire.hpp"

namespace mcbackend {
namespace {

/// Elements of a fixed shape at most, and of a fixed dimension (docs/protocol.md §5).
constexpr std::size_t max_elements = std::size_t{1} << 31;
constexpr std::size_t max_name = 256;
/// Dimensions travel as uint32.
constexpr std::int64_t max_dimension = std::numeric_limits<std::uint32_t>::max();

Error refused(const Variable& v, const std::string& why) {
  return {"invalid_run_meta", "variable \"" + v.name + "\": " + why, 0};
}

void check_variable(const Variable& v) {
  if (v.name.empty()) throw refused(v, "a name cannot be empty");
  if (!is_utf8(v.name)) throw refused(v, "a name must be UTF-8");
  if (code_points(v.name) > max_name) throw refused(v, "a name has at most 256 code points");
  if (v.undefined_ndim) return;
  Shape fixed;
  for (const auto n : v.shape) {
    if (n < -1) throw refused(v, "a dimension cannot be " + std::to_string(n));
    if (n > static_cast<std::int64_t>(max_elements)) throw refused(v, "a dimension is at most 2^31");
    if (n != -1) fixed.push_back(n);
  }
  if (!elements_of(fixed, max_elements)) throw refused(v, "shape " + text_of(v.shape) + " has more than 2^31 elements");
}

Column column_of(const Variable& v, bool is_stat) {
  check_variable(v);
  Column c;
  c.name = v.name;
  c.dtype = v.dtype;
  c.is_stat = is_stat;
  c.is_rigid = v.is_rigid();
  c.has_ndim = !v.undefined_ndim;
  if (c.has_ndim) c.shape = v.shape;
  c.elements = c.is_rigid ? v.elements() : 0;
  c.item_size = size_of(v.dtype);
  c.is_block = c.is_rigid && v.dtype != DType::str;
  c.is_plain = c.is_block && v.dtype != DType::bool_;
  wire::Bytes head;
  wire::Writer(head).bytes(1, c.name);
  wire::Writer(head).bytes(2, name_of(c.dtype));
  c.head = wire::text_of(head);
  c.fill_shape = c.shape;
  std::replace(c.fill_shape.begin(), c.fill_shape.end(), std::int64_t{-1}, std::int64_t{0});
  c.fill_elements = elements_of(c.fill_shape, max_elements).value_or(0);
  return c;
}

[[noreturn]] void throw_shape(const Column& c, const std::string& actual) {
  throw Error("shape_mismatch",
              c.label() + " has the shape " + (c.has_ndim ? text_of(c.shape) : "of each draw") + ", not " + actual);
}

/// The shape of a value that came without one.
Shape inferred_shape(const Column& c, const Value& value) {
  if (!c.has_ndim) return value.ndim() == 0 ? Shape{} : Shape{static_cast<std::int64_t>(value.count())};
  if (c.is_rigid) return c.shape;
  if (std::count(c.shape.begin(), c.shape.end(), -1) > 1) {
    throw Error("shape_mismatch", c.label() + " has the shape " + text_of(c.shape) +
                                      ": give the value a shape, since more than one dimension varies");
  }
  std::size_t fixed = 1;
  for (const auto n : c.shape) fixed *= n == -1 ? 1 : static_cast<std::size_t>(n);
  Shape shape = c.shape;
  *std::find(shape.begin(), shape.end(), -1) = fixed == 0 ? 0 : static_cast<std::int64_t>(value.count() / fixed);
  return shape;
}

}  // namespace

std::optional<std::size_t> elements_of(View<std::int64_t> shape, std::size_t most) noexcept {
  if (std::any_of(shape.begin(), shape.end(), [](std::int64_t n) { return n < 0; })) return {};
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  std::size_t count = 1;
  for (const auto n : shape) {
    if (static_cast<std::uint64_t>(n) > most / count) return {};
    count *= static_cast<std::size_t>(n);
  }
  return count;
}

std::string text_of(View<std::int64_t> shape) {
  std::string text = "[";
  for (const auto n : shape) {
    if (text.size() > 1) text += ',';
    text += std::to_string(n);
  }
  return text + "]";
}

std::string Column::label() const { return (is_stat ? "sampler stat \"" : "variable \"") + name + "\""; }

bool Column::fits(const Shape& of_draw) const noexcept {
  if (!has_ndim) return true;
  if (of_draw.size() != shape.size()) return false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] != -1 && shape[i] != of_draw[i]) return false;
  }
  return true;
}

std::string_view fill_element(DType dtype) noexcept {
  static constexpr char nan64[] = "\0\0\0\0\0\0\xF8\x7F";
  static constexpr char nan32[] = "\0\0\xC0\x7F";
  static constexpr char zeros[] = "\0\0\0\0\0\0\0\0";
  if (dtype == DType::float64) return {nan64, 8};
  if (dtype == DType::float32) return {nan32, 4};
  return {zeros, size_of(dtype)};
}

NdArray Column::fill() const {
  NdArray array;
  array.dtype = dtype;
  array.shape = fill_shape;
  if (dtype == DType::str) {
    array.strings.resize(fill_elements);
    return array;
  }
  const auto* element = reinterpret_cast<const std::byte*>(fill_element(dtype).data());
  array.bytes.reserve(fill_elements * item_size);
  for (std::size_t i = 0; i < fill_elements; ++i) array.bytes.insert(array.bytes.end(), element, element + item_size);
  return array;
}

Schema::Schema(const RunMeta& meta) {
  const auto collect = [](const std::vector<Variable>& variables, bool is_stat, std::vector<Column>& columns,
                          Index& index) {
    columns.reserve(variables.size());
    for (const auto& v : variables) {
      columns.push_back(column_of(v, is_stat));
      if (!index.emplace(columns.back().name, static_cast<std::uint32_t>(columns.size() - 1)).second) {
        throw refused(v, is_stat ? "two sampler stats have this name" : "two variables have this name");
      }
    }
  };
  collect(meta.variables, false, draws_, draw_index_);
  collect(meta.sample_stats, true, stats_, stat_index_);
}

const Column* Schema::find(const std::vector<Column>& columns, const Index& index, std::string_view name) noexcept {
  const auto found = index.find(name);
  return found == index.end() ? nullptr : &columns[found->second];
}

std::shared_ptr<const Schema> schema_of(const RunMeta& meta) { return std::make_shared<const Schema>(meta); }

Shape shape_of_draw(const Column& column, const Value& value) {
  Shape shape;
  if (value.is_shaped()) {
    for (std::size_t i = 0; i < value.ndim(); ++i) shape.push_back(value.dim(i));
  } else {
    shape = inferred_shape(column, value);
  }
  const auto count = elements_of(shape);
  if (!column.fits(shape) || (value.is_shaped() && count != value.count())) {
    throw_shape(column, text_of(shape) + " with " + std::to_string(value.count()) + " elements");
  }
  if (count != value.count()) throw_shape(column, std::to_string(value.count()) + " elements");
  if (std::any_of(shape.begin(), shape.end(), [](std::int64_t n) { return n > max_dimension; })) {
    throw_shape(column, text_of(shape));
  }
  return shape;
}

void check_value_in_full(const Column& column, const Value& value) {
  if (value.dtype() != column.dtype) {
    throw Error("dtype_mismatch", column.label() + " is " + std::string(name_of(column.dtype)) + ", not " +
                                      std::string(name_of(value.dtype())));
  }
  // The shape of a fixed one is made only where there is something to compare it with: a vector a value is too much.
  const bool has_its_elements = column.is_rigid && !value.is_shaped() && value.count() == column.elements;
  if (!has_its_elements) shape_of_draw(column, value);
  if (column.dtype == DType::bool_) {
    const auto* bytes = static_cast<const unsigned char*>(value.data());
    for (std::size_t i = 0; i < value.count(); ++i) {
      if (bytes[i] > 1)
        throw Error("dtype_mismatch", column.label() + ": a bool is 0 or 1, not " + std::to_string(bytes[i]));
    }
  } else if (column.dtype == DType::str) {
    const auto* texts = static_cast<const std::string*>(value.data());
    if (!std::all_of(texts, texts + value.count(), [](const std::string& t) { return is_utf8(t); })) {
      throw Error("dtype_mismatch", column.label() + ": a text is no UTF-8");
    }
  }
}

Matcher::Matcher(const Schema& schema, bool is_stats)
    : schema_(schema),
      columns_(is_stats ? schema.stats() : schema.draws()),
      is_stats_(is_stats),
      order_(columns_.size()) {
  std::iota(order_.begin(), order_.end(), 0U);
}

View<std::uint32_t> Matcher::match_anew(View<NamedValue> values) {
  std::vector<bool> is_there(columns_.size());
  tried_.clear();
  for (const auto& [name, value] : values) {
    const Column* column = is_stats_ ? schema_.find_stat(name) : schema_.find_draw(name);
    const std::string quoted = "\"" + std::string(name) + "\"";
    if (column == nullptr) {
      throw Error("unknown_variable",
                  "the run has no " + std::string(is_stats_ ? "sampler stat " : "variable ") + quoted);
    }
    const auto index = static_cast<std::uint32_t>(column - columns_.data());
    if (is_there[index]) throw Error("duplicate_variable", column->label() + " is there twice");
    is_there[index] = true;
    check_value(*column, value);
    tried_.push_back(index);
  }
  if (!is_stats_ && tried_.size() != columns_.size()) {
    const auto missing = std::find(is_there.begin(), is_there.end(), false) - is_there.begin();
    throw Error("missing_variable", columns_[static_cast<std::size_t>(missing)].label() + " has no value in this draw");
  }
  order_.swap(tried_);
  return order_;
}

}  // namespace mcbackend
