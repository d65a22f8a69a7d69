// The wire format of protobuf, as far as the project's messages need it.
#pragma once

#include <cstdint>
#include <mcbackend/types.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "utf8.hpp"

namespace mcbackend::wire {

using Bytes = std::vector<std::uint8_t>;

inline std::string_view text_of(const Bytes& bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

enum class Type : std::uint8_t { varint = 0, fixed64 = 1, length = 2, group_begin = 3, group_end = 4, fixed32 = 5 };

constexpr std::size_t varint_size(std::uint64_t v) noexcept {
  std::size_t n = 1;
  while (v >= 128) {
    v >>= 7;
    ++n;
  }
  return n;
}

/// Bytes that a field of bytes takes whose number is below 16.
constexpr std::size_t field_size(std::size_t size) noexcept { return 1 + varint_size(size) + size; }

/// Writes a varint to where it fits. Returns the end of it.
template <class Byte>
Byte* put_varint(Byte* to, std::uint64_t v) noexcept {
  while (v >= 128) {
    *to++ = static_cast<Byte>(v | 128);
    v >>= 7;
  }
  *to++ = static_cast<Byte>(v);
  return to;
}

/// Appends fields to a message. Default values are left out, as proto3 does.
class Writer {
 public:
  explicit Writer(Bytes& out) noexcept : out_(out) {}

  void varint(std::uint64_t v) {
    while (v >= 128) {
      out_.push_back(static_cast<std::uint8_t>(v | 128));
      v >>= 7;
    }
    out_.push_back(static_cast<std::uint8_t>(v));
  }
  void tag(unsigned field, Type type) { varint(field << 3 | static_cast<unsigned>(type)); }
  /// Also of signed numbers that are not zigzag, as their two's complement of 64 bits.
  void number(unsigned field, std::uint64_t v) {
    if (v != 0) present_number(field, v);
  }
  void present_number(unsigned field, std::uint64_t v) {
    tag(field, Type::varint);
    varint(v);
  }
  void present_double(unsigned field, double v);
  void head(unsigned field, std::size_t size) {
    tag(field, Type::length);
    varint(size);
  }
  void raw(const void* data, std::size_t size) {
    const auto* p = static_cast<const std::uint8_t*>(data);
    if (size != 0) out_.insert(out_.end(), p, p + size);
  }
  /// A field of bytes, text or a message that is there even when it is empty.
  void present(unsigned field, std::string_view content) {
    head(field, content.size());
    raw(content.data(), content.size());
  }
  void present(unsigned field, const Bytes& content) { present(field, text_of(content)); }
  void bytes(unsigned field, std::string_view content) {
    if (!content.empty()) present(field, content);
  }
  void packed(unsigned field, const std::vector<std::int64_t>& values);

 private:
  Bytes& out_;
};

/// Reads fields of a message that is kept by somebody else. Errors carry the code that the reader was made with.
class Reader {
 public:
  Reader(std::string_view bytes, const char* code) noexcept
      : at_(bytes.data()), end_(bytes.data() + bytes.size()), code_(code) {}

  bool is_at_end() const noexcept { return at_ == end_; }
  /// Bytes that are left.
  std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }
  std::uint64_t varint() {
    if (at_ != end_ && static_cast<std::uint8_t>(*at_) < 128) return static_cast<std::uint8_t>(*at_++);
    return long_varint();
  }
  double real();
  std::string_view bytes();
  /// @throws Error when it is no UTF-8
  std::string_view text() {
    const auto t = bytes();
    if (!is_utf8(t)) fail("a string is no UTF-8");
    return t;
  }
  Reader message() { return {bytes(), code_}; }
  void skip(unsigned field, Type type) { skip(field, type, 0); }
  /// Skips the value of a field, and gives its bytes.
  std::string_view skipped(unsigned field, Type type) {
    const auto* begin = at_;
    skip(field, type);
    return {begin, static_cast<std::size_t>(at_ - begin)};
  }
  [[noreturn]] void fail(const char* what) const { throw Error(code_, std::string("malformed protobuf: ") + what); }

  /// Calls f(*this, field, type) for every field, which reads its value and returns true, or returns false to have it
  /// skipped.
  template <class F>
  void fields(F f) {
    while (!is_at_end()) {
      const auto [field, type] = tag();
      if (type == Type::group_end) fail("a group ends that has not begun");
      if (!f(*this, field, type)) skip(field, type);
    }
  }
  /// Calls f(number) for the numbers of a repeated field, which may be packed. False for a type that is neither.
  template <class F>
  bool numbers(Type type, F f) {
    if (type == Type::varint) {
      f(varint());
    } else if (type == Type::length) {
      for (Reader packed = message(); !packed.is_at_end();) f(packed.varint());
    } else {
      return false;
    }
    return true;
  }

 private:
  struct Tag {
    unsigned field;
    Type type;
  };
  Tag tag();
  std::uint64_t long_varint();
  void skip(unsigned field, Type type, int depth);
  const char* take(std::size_t size);

  const char* at_;
  const char* end_;
  const char* code_;
};

}  // namespace mcbackend::wire
