// Reading of protobuf's wire format: every length is checked before it is believed.
#include "wire.hpp"

#include <cstring>

namespace mcbackend::wire {
namespace {

constexpr int max_varint_bytes = 10;
/// Groups within groups, as deep as libprotobuf goes.
constexpr int max_depth = 100;
constexpr std::uint64_t max_field = (std::uint64_t{1} << 29) - 1;

}  // namespace

void Writer::present_double(unsigned field, double v) {
  tag(field, Type::fixed64);
  raw(&v, sizeof v);
}

void Writer::packed(unsigned field, const std::vector<std::int64_t>& values) {
  if (values.empty()) return;
  std::size_t size = 0;
  for (const auto v : values) size += varint_size(static_cast<std::uint64_t>(v));
  head(field, size);
  for (const auto v : values) varint(static_cast<std::uint64_t>(v));
}

std::uint64_t Reader::long_varint() {
  std::uint64_t v = 0;
  for (int i = 0; i < max_varint_bytes; ++i) {
    if (is_at_end()) fail("a number is cut off");
    const auto byte = static_cast<std::uint8_t>(*at_++);
    v |= static_cast<std::uint64_t>(byte & 127U) << (7 * i);
    if (byte < 128) return v;
  }
  fail("a number has more than ten bytes");
}

Reader::Tag Reader::tag() {
  const auto v = varint();
  const auto field = v >> 3;
  const auto type = static_cast<unsigned>(v & 7U);
  if (field == 0 || field > max_field) fail("there is no field of that number");
  if (type > static_cast<unsigned>(Type::fixed32)) fail("there is no wire type of that number");
  return {static_cast<unsigned>(field), static_cast<Type>(type)};
}

const char* Reader::take(std::size_t size) {
  if (size > left()) fail("a field is longer than the message around it");
  const auto* begin = at_;
  at_ += size;
  return begin;
}

double Reader::real() {
  double v = 0;
  std::memcpy(&v, take(sizeof v), sizeof v);
  return v;
}

std::string_view Reader::bytes() {
  const auto size = varint();
  if (size > left()) fail("a field is longer than the message around it");
  return {take(static_cast<std::size_t>(size)), static_cast<std::size_t>(size)};
}

void Reader::skip(unsigned field, Type type, int depth) {
  switch (type) {
    case Type::varint:
      varint();
      return;
    case Type::fixed64:
      take(8);
      return;
    case Type::length:
      bytes();
      return;
    case Type::fixed32:
      take(4);
      return;
    case Type::group_end:
      fail("a group ends that has not begun");
    case Type::group_begin:
      break;
  }
  if (depth >= max_depth) fail("groups are nested too deep");
  while (!is_at_end()) {
    const auto inner = tag();
    if (inner.type != Type::group_end) {
      skip(inner.field, inner.type, depth + 1);
    } else if (inner.field == field) {
      return;
    } else {
      fail("a group is closed by the end of another");
    }
  }
  fail("a group has no end");
}

}  // namespace mcbackend::wire
