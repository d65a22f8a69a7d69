// Answers to reads: a DrawBatch as views on the bytes of the answer, and arrays made of them.
#pragma once

#include <cstdint>
#include <mcbackend/types.hpp>
#include <string_view>
#include <vector>

#include "schema.hpp"
#include "wire.hpp"

namespace mcbackend::wire {

/// The code of errors about answers.
inline constexpr const char* answer_code = "invalid_answer";

/// A column as a view on the message, which must outlive it.
struct DecodedColumn {
  std::string_view name, dtype, data;
  /// Numbers in the field `shapes`, and elements of `strings`.
  std::size_t shapes = 0, strings = 0;
  /// The whole column. It is known to be well-formed, so that repeated fields are read from it when they are needed.
  std::string_view message;
};

struct DecodedBatch {
  std::uint64_t start = 0;
  std::uint32_t count = 0;
  /// 0 in the message means 1.
  std::int64_t step = 1;
  std::vector<DecodedColumn> draws, stats;

  /// Null when there is none of that name.
  const DecodedColumn* find_draw(std::string_view name) const noexcept;
  const DecodedColumn* find_stat(std::string_view name) const noexcept;
};

/// @throws Error invalid_answer for what is no DrawBatch
DecodedBatch decode_batch(std::string_view bytes);
inline DecodedBatch decode_batch(const Bytes& bytes) { return decode_batch(text_of(bytes)); }

/// Draws of a column of fixed shape: an array of shape [count, ...shape].
/// @throws Error invalid_answer when the column is another one, or has not the elements of `count` draws
NdArray rigid_draws(const DecodedColumn& column, const Column& expected, std::uint32_t count);

/// Draws of any column, an array a draw. `count` must be known to be what was asked for: draws without elements take no
/// byte of an answer.
/// @throws Error invalid_answer as above
std::vector<NdArray> listed_draws(const DecodedColumn& column, const Column& expected, std::uint32_t count);

/// The draws of an array of shape [draws, ...shape], an array a draw.
std::vector<NdArray> split_draws(const NdArray& draws);

}  // namespace mcbackend::wire
