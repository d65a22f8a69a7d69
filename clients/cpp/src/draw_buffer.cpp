// Copying of draws into columns, and of columns into a batch.
#include "draw_buffer.hpp"

#include <algorithm>
#include <limits>

namespace mcbackend {
namespace {

constexpr std::size_t least_capacity = 512;
constexpr unsigned draws_field = 3;
constexpr unsigned stats_field = 4;
constexpr unsigned data_field = 3;
constexpr unsigned shapes_field = 4;
/// Tag of an element of Column.strings.
constexpr unsigned char string_tag = 5 << 3 | 2;
constexpr std::size_t max_varint32 = 5;
/// Draws without an element have room without end.
constexpr std::size_t max_spare_draws = 1U << 20;

/// Bytes that `count` strings take as fields of a Column.
std::size_t size_of_strings(const std::string* texts, std::size_t count) noexcept {
  std::size_t size = 0;
  for (std::size_t i = 0; i < count; ++i) size += wire::field_size(texts[i].size());
  return size;
}

template <class Word>
bool have_same_ends(std::string_view a, std::string_view b) noexcept {
  const auto word = [](std::string_view text, std::size_t at) {
    Word bytes{};
    std::memcpy(&bytes, &text[at], sizeof bytes);
    return bytes;
  };
  const auto last = a.size() - sizeof(Word);
  return word(a, 0) == word(b, 0) && word(a, last) == word(b, last);
}

/// Compares names, most of which are short: calls of memcmp would cost more than all else of a draw.
inline bool are_same(std::string_view a, std::string_view b) noexcept {
  const auto size = a.size();
  if (size != b.size()) return false;
  if (size >= 2 && size <= 4) return have_same_ends<std::uint16_t>(a, b);
  if (size >= 4 && size <= 8) return have_same_ends<std::uint32_t>(a, b);
  return size >= 8 && size <= 16 ? have_same_ends<std::uint64_t>(a, b) : a == b;
}

bool are_bools(const Value& value) noexcept {
  const auto* bytes = static_cast<const unsigned char*>(value.data());
  return std::all_of(bytes, bytes + value.count(), [](unsigned char byte) { return byte <= 1; });
}

}  // namespace

void GrowingBytes::grow(std::size_t more) {
  constexpr std::size_t most = std::numeric_limits<std::ptrdiff_t>::max();
  if (more > most - size_) throw std::bad_alloc();
  const auto doubled = std::min(std::max(least_capacity, capacity_ * 2), most);
  const auto capacity = std::max(doubled, size_ + more);
  std::unique_ptr<std::byte[]> grown(new std::byte[capacity]);  // make_unique would zero it
  if (size_ != 0) std::memcpy(grown.get(), data_.get(), size_);
  data_ = std::move(grown);
  capacity_ = capacity;
}

DrawBuffer::DrawBuffer(std::shared_ptr<const Schema> schema)
    : schema_(std::move(schema)),
      draw_matcher_(*schema_, false),
      stat_matcher_(*schema_, true),
      draws_(schema_->draws().size()),
      stats_(schema_->stats().size()) {
  const auto is_block = [](const Column& column) { return column.is_block; };
  const auto& draws = schema_->draws();
  const auto& stats = schema_->stats();
  has_blocks_only_ =
      std::all_of(draws.begin(), draws.end(), is_block) && std::all_of(stats.begin(), stats.end(), is_block);
  for (const auto* side : {&draws, &stats}) {
    for (const auto& column : *side) block_bytes_ += column.stride();
  }
  blocks_.reserve(draws.size() + stats.size());
}

bool DrawBuffer::put(View<NamedValue> draw, View<NamedValue> stats, std::size_t most) {
  if (spare_draws_ != 0 && put_blocks(draw, stats)) return true;
  spare_draws_ = 0;
  const auto draw_order = draw_matcher_.match(draw);
  const auto stat_order = stat_matcher_.match(stats);
  const auto room = most - std::min(most, bytes_);
  if (late_bytes(stat_order, room) > room) return false;
  // Room for everything comes before anything is copied, since memory may run out.
  shapes_.clear();
  reserve_all(schema_->draws(), draws_, draw, draw_order);
  const auto& stat_columns = schema_->stats();
  for (const auto index : stat_order) {
    auto& rows = stats_[index];
    if (rows.rows == count_) continue;
    reserve_fill(stat_columns[index], rows, count_ - rows.rows);
    while (rows.rows < count_) put_fill(stat_columns[index], rows);
  }
  reserve_all(stat_columns, stats_, stats, stat_order);
  if (stats.size() != stats_.size()) fill_absent_stats(stat_order);
  const auto* shape = shapes_.data();
  copy_all(schema_->draws(), draws_, draw, draw_order, shape);
  copy_all(stat_columns, stats_, stats, stat_order, shape);
  ++count_;
  if (has_blocks_only_ && stats.size() == stats_.size()) expect_blocks(draw_order, stat_order);
  return true;
}

bool DrawBuffer::put_blocks(View<NamedValue> draw, View<NamedValue> stats) noexcept {
  if (draw.size() != draws_.size() || stats.size() != stats_.size()) return false;
  const Block* of_stats = blocks_.data() + draw.size();
  if (!are_blocks(blocks_.data(), draw) || !are_blocks(of_stats, stats)) return false;
  copy_blocks(blocks_.data(), draw);
  copy_blocks(of_stats, stats);
  --spare_draws_;
  ++count_;
  bytes_ += block_bytes_;
  return true;
}

inline bool DrawBuffer::are_blocks(const Block* blocks, View<NamedValue> values) noexcept {
  for (const auto& [name, value] : values) {
    const Block& block = *blocks++;
    const bool is_it = value.dtype() == block.dtype && value.count() == block.elements && !value.is_shaped() &&
                       are_same(name, block.name);
    if (!is_it || (block.dtype == DType::bool_ && !are_bools(value))) return false;
  }
  return true;
}

inline void DrawBuffer::copy_blocks(const Block* blocks, View<NamedValue> values) noexcept {
  for (const auto& [name, value] : values) {
    const Block& block = *blocks++;
    block.rows->data.append(value.data(), block.stride);
    ++block.rows->rows;
  }
}

void DrawBuffer::expect_blocks(View<std::uint32_t> draw_order, View<std::uint32_t> stat_order) noexcept {
  blocks_.clear();
  std::size_t room = max_spare_draws;
  const auto note = [&](const Column& column, Rows& rows) {
    blocks_.push_back({column.name, column.elements, column.stride(), &rows, column.dtype});
    if (column.stride() != 0) room = std::min(room, rows.data.room() / column.stride());
  };
  for (const auto index : draw_order) note(schema_->draws()[index], draws_[index]);
  for (const auto index : stat_order) note(schema_->stats()[index], stats_[index]);
  spare_draws_ = room;
}

inline void DrawBuffer::reserve_all(const std::vector<Column>& columns, std::vector<Rows>& side,
                                    View<NamedValue> values, View<std::uint32_t> order) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Column& column = columns[order[i]];
    if (column.is_block) {
      side[order[i]].data.reserve(column.stride());
    } else {
      reserve(column, side[order[i]], values[i].value);
    }
  }
}

inline void DrawBuffer::copy_all(const std::vector<Column>& columns, std::vector<Rows>& side, View<NamedValue> values,
                                 View<std::uint32_t> order, const std::int64_t*& shape) noexcept {
  std::size_t blocks = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Column& column = columns[order[i]];
    Rows& rows = side[order[i]];
    if (column.is_block) {
      rows.data.append(values[i].value.data(), column.stride());
      ++rows.rows;
      blocks += column.stride();
    } else {
      copy(column, rows, values[i].value, shape);
    }
  }
  bytes_ += blocks;
}

std::size_t DrawBuffer::late_bytes(View<std::uint32_t> present, std::size_t most) const noexcept {
  std::size_t bytes = 0;
  for (const auto index : present) {
    const auto missing = count_ - stats_[index].rows;
    if (missing != 0) bytes += missing * fill_size(schema_->stats()[index]);
    if (bytes > most) break;
  }
  return bytes;
}

void DrawBuffer::reserve(const Column& column, Rows& rows, const Value& value) {
  if (column.dtype == DType::str) {
    rows.data.reserve(size_of_strings(static_cast<const std::string*>(value.data()), value.count()));
  } else {
    rows.data.reserve(value.count() * column.item_size);
  }
  if (column.is_rigid) return;
  const auto shape = shape_of_draw(column, value);
  rows.shapes.reserve((1 + shape.size()) * max_varint32);
  shapes_.push_back(static_cast<std::int64_t>(shape.size()));
  shapes_.insert(shapes_.end(), shape.begin(), shape.end());
}

void DrawBuffer::copy(const Column& column, Rows& rows, const Value& value, const std::int64_t*& shape) noexcept {
  const auto before = rows.data.size() + rows.shapes.size();
  if (!column.is_rigid) {
    const auto* end = shape + 1 + *shape;
    for (; shape != end; ++shape) rows.shapes.append_varint(static_cast<std::uint64_t>(*shape));
  }
  if (column.dtype == DType::str) {
    const auto* texts = static_cast<const std::string*>(value.data());
    for (std::size_t i = 0; i < value.count(); ++i) {
      rows.data.append(&string_tag, 1);
      rows.data.append_varint(texts[i].size());
      rows.data.append(texts[i].data(), texts[i].size());
    }
  } else {
    rows.data.append(value.data(), value.count() * column.item_size);
  }
  ++rows.rows;
  bytes_ += rows.data.size() + rows.shapes.size() - before;
}

std::size_t DrawBuffer::fill_size(const Column& column) noexcept {
  return column.fill_elements * (column.dtype == DType::str ? wire::field_size(0) : column.item_size);
}

void DrawBuffer::reserve_fill(const Column& column, Rows& rows, std::size_t count) {
  rows.data.reserve(count * fill_size(column));
  if (!column.is_rigid) rows.shapes.reserve(count * (1 + column.fill_shape.size()) * max_varint32);
}

void DrawBuffer::put_fill(const Column& column, Rows& rows) noexcept {
  const auto before = rows.data.size() + rows.shapes.size();
  if (!column.is_rigid) {
    rows.shapes.append_varint(column.fill_shape.size());
    for (const auto n : column.fill_shape) rows.shapes.append_varint(static_cast<std::uint64_t>(n));
  }
  static constexpr unsigned char empty_string[] = {string_tag, 0};
  const auto number = fill_element(column.dtype);
  for (std::size_t i = 0; i < column.fill_elements; ++i) {
    if (column.dtype == DType::str) {
      rows.data.append(empty_string, sizeof empty_string);
    } else {
      rows.data.append(number.data(), number.size());
    }
  }
  ++rows.rows;
  bytes_ += rows.data.size() + rows.shapes.size() - before;
}

void DrawBuffer::fill_absent_stats(View<std::uint32_t> present) {
  const auto is_due = [&](std::size_t i) {
    return stats_[i].rows > 0 && std::find(present.begin(), present.end(), i) == present.end();
  };
  const auto& columns = schema_->stats();
  for (std::size_t i = 0; i < stats_.size(); ++i) {
    if (is_due(i)) reserve_fill(columns[i], stats_[i], 1);
  }
  for (std::size_t i = 0; i < stats_.size(); ++i) {
    if (is_due(i)) put_fill(columns[i], stats_[i]);
  }
}

void DrawBuffer::encode(wire::Bytes& out, std::uint64_t start) const {
  const auto column_size = [](const Column& column, const Rows& rows) {
    auto size = column.head.size() + (rows.shapes.size() == 0 ? 0 : wire::field_size(rows.shapes.size()));
    if (column.dtype == DType::str) return size + rows.data.size();
    return size + (rows.data.size() == 0 ? 0 : wire::field_size(rows.data.size()));
  };
  std::size_t total = 32;
  for (std::size_t i = 0; i < draws_.size(); ++i)
    total += wire::field_size(column_size(schema_->draws()[i], draws_[i]));
  for (std::size_t i = 0; i < stats_.size(); ++i)
    total += wire::field_size(column_size(schema_->stats()[i], stats_[i]));
  out.clear();
  out.reserve(total);
  wire::Writer w(out);
  w.number(1, start);
  w.number(2, count_);
  const auto put_column = [&](unsigned field, const Column& column, const Rows& rows) {
    w.head(field, column_size(column, rows));
    w.raw(column.head.data(), column.head.size());
    if (column.dtype != DType::str && rows.data.size() != 0) w.head(data_field, rows.data.size());
    w.raw(rows.data.data(), rows.data.size());
    if (rows.shapes.size() != 0) {
      w.head(shapes_field, rows.shapes.size());
      w.raw(rows.shapes.data(), rows.shapes.size());
    }
  };
  for (std::size_t i = 0; i < draws_.size(); ++i) put_column(draws_field, schema_->draws()[i], draws_[i]);
  for (std::size_t i = 0; i < stats_.size(); ++i) {
    if (stats_[i].rows != 0) put_column(stats_field, schema_->stats()[i], stats_[i]);
  }
}

void DrawBuffer::clear() noexcept {
  count_ = 0;
  bytes_ = 0;
  for (auto* side : {&draws_, &stats_}) {
    for (auto& rows : *side) {
      rows.data.clear();
      rows.shapes.clear();
      rows.rows = 0;
    }
  }
}

}  // namespace mcbackend
