// Decoding of batches. Memory for a column is taken once the bytes are known to be there.
#include "wire_batch.hpp"

#include <algorithm>
#include <cstring>
#include <string>

namespace mcbackend::wire {
namespace {

/// Columns of a batch at most: a hundred times the columns that a run may have. It bounds what an answer of empty
/// columns takes in memory.
constexpr std::size_t max_columns = 1'000'000;

DecodedColumn decode_column(Reader whole, std::string_view message) {
  DecodedColumn c;
  c.message = message;
  whole.fields([&](Reader& r, unsigned field, Type type) {
    if (field == 4) return r.numbers(type, [&](std::uint64_t) { ++c.shapes; });
    if (type != Type::length) return false;
    if (field == 1) {
      c.name = r.text();
    } else if (field == 2) {
      c.dtype = r.text();
    } else if (field == 3) {
      c.data = r.bytes();
    } else if (field == 5) {
      r.text();
      ++c.strings;
    } else {
      return false;
    }
    return true;
  });
  return c;
}

std::int64_t of_zigzag(std::uint64_t v) noexcept { return static_cast<std::int64_t>(v >> 1 ^ (~(v & 1) + 1)); }

const DecodedColumn* find(const std::vector<DecodedColumn>& columns, std::string_view name) noexcept {
  const auto found =
      std::find_if(columns.begin(), columns.end(), [name](const DecodedColumn& c) { return c.name == name; });
  return found == columns.end() ? nullptr : &*found;
}

[[noreturn]] void refuse(const Column& expected, const std::string& why) {
  throw Error(answer_code, "the answer is wrong in " + expected.label() + ": " + why);
}

void require_dtype(const DecodedColumn& column, const Column& expected) {
  if (column.dtype == name_of(expected.dtype)) return;
  refuse(expected, "its dtype is \"" + std::string(column.dtype) + "\", not " + std::string(name_of(expected.dtype)));
}

void require_elements(const DecodedColumn& column, const Column& expected, std::size_t elements) {
  const bool is_str = expected.dtype == DType::str;
  // Division instead of a product: the number of elements is not bounded yet.
  const bool has_numbers =
      is_str ? column.data.empty()
             : column.data.size() % expected.item_size == 0 && column.data.size() / expected.item_size == elements;
  if (!has_numbers || column.strings != (is_str ? elements : 0)) {
    refuse(expected, "it has not the " + std::to_string(elements) + " elements of its draws");
  }
  if (expected.dtype == DType::bool_ &&
      std::any_of(column.data.begin(), column.data.end(), [](char b) { return static_cast<unsigned char>(b) > 1; })) {
    refuse(expected, "a bool is neither 0 nor 1");
  }
}

std::vector<std::string> strings_of(const DecodedColumn& column) {
  std::vector<std::string> strings;
  strings.reserve(column.strings);
  Reader(column.message, answer_code).fields([&](Reader& r, unsigned field, Type type) {
    if (field != 5 || type != Type::length) return false;
    strings.emplace_back(r.bytes());
    return true;
  });
  return strings;
}

std::vector<std::uint32_t> shapes_of(const DecodedColumn& column) {
  std::vector<std::uint32_t> shapes;
  shapes.reserve(column.shapes);
  Reader(column.message, answer_code).fields([&](Reader& r, unsigned field, Type type) {
    return field == 4 && r.numbers(type, [&](std::uint64_t n) { shapes.push_back(static_cast<std::uint32_t>(n)); });
  });
  return shapes;
}

/// The shapes of all draws. Their elements together are as many as the column has.
std::vector<Shape> ragged_shapes(const DecodedColumn& column, const Column& expected, std::uint32_t count) {
  if (count > column.shapes) refuse(expected, "shapes are missing");
  const auto words = shapes_of(column);
  const std::size_t most = expected.dtype == DType::str ? column.strings : column.data.size() / expected.item_size;
  std::vector<Shape> shapes;
  shapes.reserve(count);
  std::size_t at = 0;
  std::size_t elements = 0;
  while (shapes.size() < count) {
    if (at == words.size() || words[at] > words.size() - at - 1) refuse(expected, "shapes are missing");
    const auto* dims = words.data() + at + 1;
    const Shape shape(dims, dims + words[at]);
    const auto size = elements_of(shape, most);
    if (!size || *size > most - elements || !expected.fits(shape))
      refuse(expected, "a draw has the shape " + mcbackend::text_of(shape));
    elements += *size;
    at += 1 + words[at];
    shapes.push_back(shape);
  }
  if (at != words.size()) refuse(expected, "it has more shapes than draws");
  require_elements(column, expected, elements);
  return shapes;
}

NdArray numbers(DType dtype, Shape shape, std::string_view data) {
  NdArray array;
  array.dtype = dtype;
  array.shape = std::move(shape);
  const auto* bytes = reinterpret_cast<const std::byte*>(data.data());
  array.bytes.assign(bytes, bytes + data.size());
  return array;
}

}  // namespace

const DecodedColumn* DecodedBatch::find_draw(std::string_view name) const noexcept { return find(draws, name); }
const DecodedColumn* DecodedBatch::find_stat(std::string_view name) const noexcept { return find(stats, name); }

DecodedBatch decode_batch(std::string_view bytes) {
  DecodedBatch b;
  Reader(bytes, answer_code).fields([&](Reader& r, unsigned field, Type type) {
    if (type == Type::length && (field == 3 || field == 4)) {
      if (b.draws.size() + b.stats.size() == max_columns) r.fail("there are too many columns");
      const auto message = r.bytes();
      (field == 3 ? b.draws : b.stats).push_back(decode_column({message, answer_code}, message));
      return true;
    }
    if (type != Type::varint) return false;
    if (field == 1) {
      b.start = r.varint();
    } else if (field == 2) {
      b.count = static_cast<std::uint32_t>(r.varint());
    } else if (field == 5) {
      b.step = of_zigzag(r.varint());
    } else {
      return false;
    }
    return true;
  });
  if (b.step == 0) b.step = 1;
  return b;
}

NdArray rigid_draws(const DecodedColumn& column, const Column& expected, std::uint32_t count) {
  require_dtype(column, expected);
  if (column.shapes != 0) refuse(expected, "it has shapes, though its shape is fixed");
  require_elements(column, expected, expected.elements * count);
  Shape shape{count};
  shape.insert(shape.end(), expected.shape.begin(), expected.shape.end());
  if (expected.dtype == DType::str) return NdArray::of(std::move(shape), strings_of(column));
  return numbers(expected.dtype, std::move(shape), column.data);
}

std::vector<NdArray> split_draws(const NdArray& draws) {
  const auto count = draws.shape.empty() ? 0 : static_cast<std::size_t>(draws.shape.front());
  const Shape shape(draws.shape.begin() + (draws.shape.empty() ? 0 : 1), draws.shape.end());
  const auto elements = count == 0 ? 0 : draws.size() / count;
  std::vector<NdArray> list;
  list.reserve(count);
  const auto* bytes = reinterpret_cast<const char*>(draws.bytes.data());
  const auto stride = elements * size_of(draws.dtype);
  auto text = draws.strings.begin();
  for (std::size_t i = 0; i < count; ++i) {
    if (draws.dtype == DType::str) {
      const auto next = text + static_cast<std::ptrdiff_t>(elements);
      list.push_back(NdArray::of(shape, std::vector<std::string>(text, next)));
      text = next;
    } else {
      list.push_back(
          numbers(draws.dtype, shape, stride == 0 ? std::string_view() : std::string_view(bytes + i * stride, stride)));
    }
  }
  return list;
}

std::vector<NdArray> listed_draws(const DecodedColumn& column, const Column& expected, std::uint32_t count) {
  if (expected.is_rigid) return split_draws(rigid_draws(column, expected, count));
  require_dtype(column, expected);
  auto shapes = ragged_shapes(column, expected, count);
  const auto strings = strings_of(column);
  std::vector<NdArray> list;
  list.reserve(count);
  std::size_t at = 0;
  for (auto& shape : shapes) {
    const auto elements = elements_of(shape).value_or(0);
    if (expected.dtype == DType::str) {
      const auto first = strings.begin() + static_cast<std::ptrdiff_t>(at);
      list.push_back(NdArray::of(std::move(shape),
                                 std::vector<std::string>(first, first + static_cast<std::ptrdiff_t>(elements))));
    } else {
      list.push_back(numbers(expected.dtype, std::move(shape),
                             column.data.substr(at * expected.item_size, elements * expected.item_size)));
    }
    at += elements;
  }
  return list;
}

}  // namespace mcbackend::wire
