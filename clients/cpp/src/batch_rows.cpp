// Checks of batches, and their draws one by one.
#include "batch_rows.hpp"

#include <string>

namespace mcbackend {
namespace {

Error wrong_shape(const Column& column, const std::string& why) {
  return {"shape_mismatch", column.label() + ": " + why};
}

/// Checks an array of shape [count, ...shape] as if it were one draw of that shape.
void check_array(const Column& column, const NdArray& array, std::uint32_t count) {
  if (array.shape.empty() || array.shape.front() != std::int64_t{count}) {
    throw wrong_shape(
        column, "expected an array of " + std::to_string(count) + " draws, not one of shape " + text_of(array.shape));
  }
  Column whole = column;
  whole.is_plain = false;
  whole.shape.insert(whole.shape.begin(), std::int64_t{count});
  check_value_in_full(whole, array);
}

void check_list(const Column& column, const std::vector<NdArray>& list, std::uint32_t count) {
  if (column.is_rigid) throw wrong_shape(column, "expected one array for all draws, not a list of arrays");
  if (list.size() != count) {
    throw wrong_shape(column, "expected " + std::to_string(count) + " draws, not " + std::to_string(list.size()));
  }
  for (const auto& array : list) check_value(column, array);
}

}  // namespace

BatchRows::BatchRows(const Schema& schema, const DrawBatch& batch) : count_(batch.count) {
  if (count_ == 0) throw Error("empty_batch", "a batch has at least one draw");
  for (const auto& given : batch.draws) {
    const auto* column = schema.find_draw(given.name);
    if (column == nullptr) throw Error("unknown_variable", "the run has no variable \"" + given.name + "\"");
    add(draws_, column, given);
  }
  for (const auto& given : batch.stats) {
    const auto* column = schema.find_stat(given.name);
    if (column == nullptr) throw Error("unknown_variable", "the run has no sampler stat \"" + given.name + "\"");
    add(stats_, column, given);
  }
  // Every draw has the same names, so the first one shows what is missing or there twice.
  Matcher(schema, false).match(draw(0));
  Matcher(schema, true).match(stats(0));
}

void BatchRows::add(Side& side, const Column* column, const NamedDraws& given) const {
  const auto& draws = given.draws;
  Source source{column, &given, {}, 0};
  if (draws.is_list) {
    check_list(*column, draws.list, count_);
  } else {
    check_array(*column, draws.array, count_);
    source.shape.assign(draws.array.shape.begin() + 1, draws.array.shape.end());
    source.elements = draws.array.size() / count_;
  }
  side.sources.push_back(std::move(source));
}

Value BatchRows::value_at(const Source& source, std::uint32_t index) {
  const auto& draws = source.given->draws;
  if (draws.is_list) return {draws.list[index]};
  const auto& array = draws.array;
  const auto first = source.elements * index;
  const void* data = array.dtype == DType::str ? static_cast<const void*>(array.strings.data() + first)
                                               : array.bytes.data() + first * size_of(array.dtype);
  if (source.column->is_rigid) return {array.dtype, data, source.elements};
  return {array.dtype, data, View<std::int64_t>(source.shape)};
}

View<NamedValue> BatchRows::row(Side& side, std::uint32_t index) {
  side.values.clear();
  for (const auto& source : side.sources) side.values.push_back({source.given->name, value_at(source, index)});
  return side.values;
}

}  // namespace mcbackend
