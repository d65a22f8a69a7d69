// A batch on its way, cut in two for a server, a proxy or a network that takes less at once.
#pragma once

#include <cstdint>
#include <string_view>

#include "schema.hpp"
#include "wire.hpp"

namespace mcbackend::wire {

struct Halves {
  Bytes first, second;
  std::uint32_t first_count = 0, second_count = 0;
};

/// Two batches with the same bytes of each draw under the same index.
/// @param batch one of DrawBuffer::encode(), or of this function, of two draws at least
Halves split_batch(std::string_view batch, const Schema& schema);

}  // namespace mcbackend::wire
