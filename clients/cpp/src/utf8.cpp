// Checks and conversions of text.
#include "utf8.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <mcbackend/types.hpp>

namespace mcbackend {
namespace {

constexpr char32_t last_code_point = 0x10FFFF;

bool is_surrogate(char32_t c) noexcept { return c >= 0xD800 && c <= 0xDFFF; }

bool is_continuation(char c) noexcept { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80; }

/// Bytes of the sequence that this byte leads; 0 for a byte that leads none.
std::size_t sequence_length(unsigned char lead) noexcept {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return 2;
  if (lead >= 0xE0 && lead < 0xF0) return 3;
  if (lead >= 0xF0 && lead < 0xF5) return 4;
  return 0;
}

/// The code point at `at`, of a sequence of `length` bytes that is known to be there.
char32_t decode(const char* at, std::size_t length) noexcept {
  const auto lead = static_cast<unsigned char>(*at);
  if (length == 1) return lead;
  char32_t c = lead & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) c = c << 6 | (static_cast<unsigned char>(at[i]) & 0x3FU);
  return c;
}

/// Bytes at the beginning that are ASCII, eight at a time.
std::size_t ascii_prefix(std::string_view text) noexcept {
  std::size_t i = 0;
  for (std::uint64_t word = 0; i + 8 <= text.size(); i += 8) {
    std::memcpy(&word, text.data() + i, 8);
    if ((word & 0x8080808080808080U) != 0) break;
  }
  return i;
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
  constexpr char32_t least_of_length[] = {0, 0, 0x80, 0x800, 0x10000};  // less is overlong
  for (std::size_t i = ascii_prefix(text); i < text.size();) {
    const auto length = sequence_length(static_cast<unsigned char>(text[i]));
    if (length == 0 || length > text.size() - i) return false;
    for (std::size_t k = 1; k < length; ++k) {
      if (!is_continuation(text[i + k])) return false;
    }
    const auto c = decode(text.data() + i, length);
    if (c < least_of_length[length] || c > last_code_point || is_surrogate(c)) return false;
    i += length;
  }
  return true;
}

std::size_t code_points(std::string_view text) noexcept {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); }));
}

std::vector<std::byte> to_utf32(const std::vector<std::string>& texts, std::size_t width) {
  std::vector<std::byte> out(texts.size() * width * 4);
  std::size_t row = 0;
  for (const auto& text : texts) {
    auto* to = out.data() + 4 * width * row++;
    for (std::size_t i = 0; i < text.size();) {
      const auto length = sequence_length(static_cast<unsigned char>(text[i]));
      const auto c = decode(text.data() + i, length);
      std::memcpy(to, &c, 4);
      to += 4;
      i += length;
    }
  }
  return out;
}

void append_utf8(std::string& to, char32_t c) {
  const auto put = [&to](char32_t byte) { to.push_back(static_cast<char>(static_cast<unsigned char>(byte))); };
  const auto continuation = [c](unsigned shift) { return 0x80U | ((c >> shift) & 0x3FU); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0U | (c >> 6));
    put(continuation(0));
  } else if (c < 0x10000) {
    put(0xE0U | (c >> 12));
    put(continuation(6));
    put(continuation(0));
  } else {
    put(0xF0U | (c >> 18));
    put(continuation(12));
    put(continuation(6));
    put(continuation(0));
  }
}

std::vector<std::string> from_utf32(const std::vector<std::byte>& bytes, std::size_t width, bool is_big_endian) {
  std::vector<std::string> texts(width == 0 ? 0 : bytes.size() / (4 * width));
  if (texts.empty()) return texts;  // a width may promise more than there are bytes
  std::vector<char32_t> row(width);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::memcpy(row.data(), bytes.data() + 4 * width * i, 4 * width);
    if (is_big_endian) {
      for (auto& c : row) c = static_cast<char32_t>(__builtin_bswap32(static_cast<std::uint32_t>(c)));
    }
    std::size_t used = width;
    while (used > 0 && row[used - 1] == 0) --used;
    for (std::size_t k = 0; k < used; ++k) {
      if (row[k] > last_code_point || is_surrogate(row[k])) {
        throw Error("invalid_protobuf", "an array of strings holds a number that is no code point");
      }
      append_utf8(texts[i], row[k]);
    }
  }
  return texts;
}

}  // namespace mcbackend
