// UTF-8, as proto3 demands it of strings, and the fixed-width UTF-32 of NumPy's arrays.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mcbackend {

/// False for overlong forms, surrogates, what lies beyond U+10FFFF, and bytes that are cut off.
bool is_utf8(std::string_view text) noexcept;

/// Code points of a text that is UTF-8.
std::size_t code_points(std::string_view text) noexcept;

/// The texts (UTF-8) as UTF-32 little-endian, each padded with zeros to `width` code points.
std::vector<std::byte> to_utf32(const std::vector<std::string>& texts, std::size_t width);

/// Texts of `width` code points each without the zeros behind them. @throws Error invalid_protobuf for what is no code
/// point
std::vector<std::string> from_utf32(const std::vector<std::byte>& bytes, std::size_t width, bool is_big_endian);

/// Appends a code point, which must be one.
void append_utf8(std::string& to, char32_t code_point);

}  // namespace mcbackend
