// Cutting of an encoded batch, column by column, without a copy of single draws.
#include "wire_split.hpp"

#include <string_view>
#include <tuple>
#include <utility>

#include "wire_batch.hpp"

namespace mcbackend::wire {
namespace {

constexpr unsigned draws_field = 3;
constexpr unsigned stats_field = 4;
constexpr unsigned data_field = 3;
constexpr unsigned shapes_field = 4;

/// Contents of a column: numbers, or strings as fields; and packed shapes.
struct Content {
  std::string_view data, shapes;
};

struct Cut {
  Content first, second;
};

Content content_of(const DecodedColumn& column, const Column& expected) {
  Content content{column.data, {}};
  Reader(column.message, answer_code).fields([&](Reader& r, unsigned field, Type type) {
    if (field != shapes_field || type != Type::length) return false;
    content.shapes = r.bytes();
    return true;
  });
  if (expected.dtype == DType::str) {
    content.data = column.message.substr(expected.head.size());
    if (!content.shapes.empty()) content.data.remove_suffix(field_size(content.shapes.size()));
  }
  return content;
}

/// Bytes that the shapes of the first draws take, and the elements of these draws.
std::pair<std::size_t, std::size_t> shapes_before(std::string_view shapes, std::uint32_t count) {
  Reader r(shapes, answer_code);
  std::size_t elements = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    std::size_t product = 1;
    for (auto ndim = r.varint(); ndim > 0; --ndim) product *= r.varint();
    elements += product;
  }
  return {shapes.size() - r.left(), elements};
}

std::size_t strings_before(std::string_view fields, std::size_t count) {
  Reader r(fields, answer_code);
  for (std::size_t i = 0; i < count; ++i) {
    r.varint();  // the tag
    r.bytes();
  }
  return fields.size() - r.left();
}

Cut cut_at(const Content& whole, const Column& column, std::uint32_t count) {
  std::size_t shapes = 0;
  std::size_t elements = count * column.elements;
  if (!column.is_rigid) std::tie(shapes, elements) = shapes_before(whole.shapes, count);
  const auto data =
      column.dtype == DType::str ? strings_before(whole.data, elements) : elements * column.item_size;
  return {{whole.data.substr(0, data), whole.shapes.substr(0, shapes)},
          {whole.data.substr(data), whole.shapes.substr(shapes)}};
}

void put(Bytes& out, unsigned field, const Column& column, const Content& content) {
  Writer w(out);
  const bool has_numbers = column.dtype != DType::str && !content.data.empty();
  w.head(field, column.head.size() + (has_numbers ? field_size(content.data.size()) : content.data.size()) +
                    (content.shapes.empty() ? 0 : field_size(content.shapes.size())));
  w.raw(column.head.data(), column.head.size());
  if (has_numbers) w.head(data_field, content.data.size());
  w.raw(content.data.data(), content.data.size());
  w.bytes(shapes_field, content.shapes);
}

void put_numbers(Bytes& out, std::uint64_t start, std::uint32_t count) {
  Writer w(out);
  w.number(1, start);
  w.number(2, count);
}

}  // namespace

Halves split_batch(std::string_view batch, const Schema& schema) {
  const auto whole = decode_batch(batch);
  Halves halves;
  halves.first_count = whole.count / 2;
  halves.second_count = whole.count - halves.first_count;
  put_numbers(halves.first, whole.start, halves.first_count);
  put_numbers(halves.second, whole.start + halves.first_count, halves.second_count);
  const auto add = [&](unsigned field, const DecodedColumn& found, const Column* column) {
    if (column == nullptr) throw Error(answer_code, "a column of a batch is none of its run");
    const auto cut = cut_at(content_of(found, *column), *column, halves.first_count);
    put(halves.first, field, *column, cut.first);
    put(halves.second, field, *column, cut.second);
  };
  for (const auto& each : whole.draws) add(draws_field, each, schema.find_draw(each.name));
  for (const auto& each : whole.stats) add(stats_field, each, schema.find_stat(each.name));
  return halves;
}

}  // namespace mcbackend::wire
