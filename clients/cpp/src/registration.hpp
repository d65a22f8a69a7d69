// Rules that a run must keep to be registered, and its identity.
#pragma once

#include <cstdint>
#include <mcbackend/meta.hpp>
#include <string>
#include <string_view>

namespace mcbackend {

/// 1–128 characters of A-Z a-z 0-9 . _ ~ -, but not "." or "..".
bool is_run_id(std::string_view rid) noexcept;

/// @throws Error invalid_parameter
void require_run_id(std::string_view rid);
void require_chain_number(std::int32_t number);

/// 128 random bits in hexadecimal digits: for ids that no other process may make as well.
std::string random_id();

/// Refuses what a server refuses although it is a message: addresses of Python objects, and attributes that JSON cannot
/// express.
/// @throws Error unsupported_dtype, invalid_run_meta
void require_storable(const RunMeta& meta);

/// True where two messages are equal as such: the order of fields and map entries does not count, doubles compare by
/// their bits, and fields of a later schema count. Both must be RunMeta.
bool is_equal_meta(std::string_view a, std::string_view b);

}  // namespace mcbackend
