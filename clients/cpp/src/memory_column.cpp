// Storage of one column.
#include "memory_column.hpp"

#include <cstring>
#include <utility>

namespace mcbackend {
namespace {

NdArray array_of_value(const Column& column, const Value& value) {
  NdArray array;
  array.dtype = column.dtype;
  array.shape = shape_of_draw(column, value);
  if (column.dtype == DType::str) {
    const auto* texts = static_cast<const std::string*>(value.data());
    array.strings.assign(texts, texts + value.count());
  } else {
    const auto* bytes = static_cast<const std::byte*>(value.data());
    array.bytes.assign(bytes, bytes + value.count() * column.item_size);
  }
  return array;
}

}  // namespace

void MemoryColumn::materialise(std::uint64_t length) {
  if (is_present_) return;
  const auto fill = column_->fill();
  if (has_numbers()) {
    numbers_.clear();
    numbers_.reserve(length * column_->stride());
    for (std::uint64_t i = 0; i < length; ++i) numbers_.append(fill.bytes.data(), fill.bytes.size());
  } else {
    arrays_.assign(length, fill);
  }
  is_present_ = true;
}

void MemoryColumn::prepare(const Value& value, std::uint64_t length) {
  materialise(length);
  if (has_numbers()) {
    numbers_.reserve(column_->stride());
    next_numbers_ = value.data();
  } else {
    next_array_ = array_of_value(*column_, value);
    if (arrays_.size() == arrays_.capacity()) arrays_.reserve(arrays_.size() * 2 + 16);
  }
  has_next_ = true;
}

void MemoryColumn::prepare_absent(std::uint64_t length) {
  has_next_ = is_present_;
  if (!is_present_) return;
  next_array_ = column_->fill();
  prepare(next_array_, length);
}

void MemoryColumn::commit() noexcept {
  if (!std::exchange(has_next_, false)) return;
  if (has_numbers()) {
    numbers_.append(next_numbers_, column_->stride());
  } else {
    arrays_.push_back(std::move(next_array_));
  }
}

bool MemoryColumn::is_same(std::uint64_t index, const Value& value) const {
  if (is_present_ && has_numbers()) {
    const auto size = column_->stride();
    return size == 0 || std::memcmp(numbers_at(index), value.data(), size) == 0;
  }
  return at(index) == array_of_value(*column_, value);
}

bool MemoryColumn::is_fill(std::uint64_t index) const { return !is_present_ || at(index) == column_->fill(); }

NdArray MemoryColumn::at(std::uint64_t index) const {
  if (!is_present_) return column_->fill();
  if (!has_numbers()) return arrays_[index];
  NdArray array;
  array.dtype = column_->dtype;
  array.shape = column_->shape;
  array.bytes.assign(numbers_at(index), numbers_at(index) + column_->stride());
  return array;
}

NdArray MemoryColumn::array_of(const ResolvedSlice& slice) const {
  if (!column_->is_rigid) {
    throw Error("shape_mismatch", column_->label() + " has another shape in each draw: ask for a list of draws");
  }
  NdArray all;
  all.dtype = column_->dtype;
  all.shape.push_back(static_cast<std::int64_t>(slice.count));
  all.shape.insert(all.shape.end(), column_->shape.begin(), column_->shape.end());
  all.bytes.reserve(slice.count * column_->stride());
  for (std::uint64_t i = 0; i < slice.count; ++i) {
    if (is_present_ && has_numbers()) {
      const auto* from = numbers_at(slice.at(i));
      all.bytes.insert(all.bytes.end(), from, from + column_->stride());
      continue;
    }
    const auto draw = at(slice.at(i));
    all.bytes.insert(all.bytes.end(), draw.bytes.begin(), draw.bytes.end());
    all.strings.insert(all.strings.end(), draw.strings.begin(), draw.strings.end());
  }
  return all;
}

std::vector<NdArray> MemoryColumn::list_of(const ResolvedSlice& slice) const {
  std::vector<NdArray> list;
  list.reserve(slice.count);
  for (std::uint64_t i = 0; i < slice.count; ++i) list.push_back(at(slice.at(i)));
  return list;
}

}  // namespace mcbackend
