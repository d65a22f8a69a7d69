// Appending to chains in memory, and reading them.
#include "memory_chain.hpp"

#include <algorithm>

namespace mcbackend {

void MemoryRegistration::require() const {
  if (is_gone) throw Error("run_not_found", "the run \"" + meta.rid + "\" was deleted");
}

MemoryDraws::MemoryDraws(std::shared_ptr<const MemoryRegistration> registration, std::int32_t number)
    : registration_(std::move(registration)), number_(number), updated_at_(std::chrono::system_clock::now()) {
  for (const auto& c : registration_->schema->draws()) draws_.emplace_back(c);
  for (const auto& c : registration_->schema->stats()) stats_.emplace_back(c);
}

std::uint64_t MemoryDraws::length() const {
  const std::lock_guard lock(mutex_);
  return length_;
}

SystemTime MemoryDraws::updated_at() const {
  const std::lock_guard lock(mutex_);
  return updated_at_;
}

void MemoryDraws::require_no_gap(std::uint64_t start) const {
  if (start <= length_) return;
  throw Error("draw_gap",
              "the batch starts at " + std::to_string(start) + ", the chain ends at " + std::to_string(length_), 0,
              length_);
}

void MemoryDraws::require_same(std::uint64_t index, const Row& row) const {
  const auto require = [&](bool is_same, const MemoryColumn& column) {
    if (is_same) return;
    throw Error("draw_conflict",
                column.column().label() + " differs from what is stored in iteration " + std::to_string(index), 0,
                length_);
  };
  for (std::size_t i = 0; i < row.draw.size(); ++i) {
    const auto& column = draws_[row.draw_order[i]];
    require(column.is_same(index, row.draw[i].value), column);
  }
  std::vector<bool> is_given(stats_.size());
  for (std::size_t i = 0; i < row.stats.size(); ++i) {
    const auto& column = stats_[row.stat_order[i]];
    is_given[row.stat_order[i]] = true;
    require(column.is_same(index, row.stats[i].value), column);
  }
  for (std::size_t i = 0; i < stats_.size(); ++i) {
    if (!is_given[i]) require(stats_[i].is_fill(index), stats_[i]);
  }
}

void MemoryDraws::push(const Row& row) {
  for (std::size_t i = 0; i < row.draw.size(); ++i) draws_[row.draw_order[i]].prepare(row.draw[i].value, length_);
  for (std::size_t i = 0; i < row.stats.size(); ++i) stats_[row.stat_order[i]].prepare(row.stats[i].value, length_);
  if (row.stats.size() != stats_.size()) {
    const auto& given = row.stat_order;
    for (std::size_t i = 0; i < stats_.size(); ++i) {
      if (std::find(given.begin(), given.end(), i) == given.end()) stats_[i].prepare_absent(length_);
    }
  }
  for (auto* side : {&draws_, &stats_}) {
    for (auto& column : *side) column.commit();
  }
  ++length_;
}

std::uint64_t MemoryDraws::append(std::uint64_t start, View<NamedValue> draw, View<NamedValue> stats, Matcher& draws,
                                  Matcher& stat_matcher) {
  const Row row{draw, stats, draws.match(draw), stat_matcher.match(stats)};
  const std::lock_guard lock(mutex_);
  registration_->require();
  require_no_gap(start);
  if (start < length_) {
    require_same(start, row);
    return length_;
  }
  push(row);
  updated_at_ = std::chrono::system_clock::now();
  return length_;
}

std::uint64_t MemoryDraws::append(std::uint64_t start, BatchRows& rows) {
  Matcher draws(*registration_->schema, false);
  Matcher stats(*registration_->schema, true);
  const auto row_at = [&](std::uint32_t i) {
    const auto draw = rows.draw(i);
    const auto stat = rows.stats(i);
    return Row{draw, stat, draws.match(draw), stats.match(stat)};
  };
  const std::lock_guard lock(mutex_);
  registration_->require();
  require_no_gap(start);
  const auto overlap = std::min<std::uint64_t>(length_ - start, rows.count());
  for (std::uint32_t i = 0; i < overlap; ++i) require_same(start + i, row_at(i));
  for (auto i = static_cast<std::uint32_t>(overlap); i < rows.count(); ++i) push(row_at(i));
  if (overlap < rows.count()) updated_at_ = std::chrono::system_clock::now();
  return length_;
}

const MemoryColumn& MemoryDraws::column(bool is_stat, std::string_view name) const {
  const auto& schema = *registration_->schema;
  const auto* found = is_stat ? schema.find_stat(name) : schema.find_draw(name);
  if (found == nullptr) {
    throw Error("unknown_variable", std::string("the run has no ") + (is_stat ? "sampler stat \"" : "variable \"") +
                                        std::string(name) + "\"");
  }
  return is_stat ? stats_[static_cast<std::size_t>(found - schema.stats().data())]
                 : draws_[static_cast<std::size_t>(found - schema.draws().data())];
}

NdArray MemoryDraws::array_of(bool is_stat, std::string_view name, const Slice& slice) const {
  const std::lock_guard lock(mutex_);
  return column(is_stat, name).array_of(resolve(slice, length_));
}

std::vector<NdArray> MemoryDraws::list_of(bool is_stat, std::string_view name, const Slice& slice) const {
  const std::lock_guard lock(mutex_);
  return column(is_stat, name).list_of(resolve(slice, length_));
}

std::map<std::string, NdArray> MemoryDraws::at(bool is_stat, std::int64_t index, View<std::string_view> names) const {
  const std::lock_guard lock(mutex_);
  const auto length = static_cast<std::int64_t>(length_);
  const auto place = index < 0 ? index + length : index;
  if (place < 0 || place >= length) {
    throw Error("invalid_slice",
                "there is no iteration " + std::to_string(index) + ": the chain has " + std::to_string(length));
  }
  std::map<std::string, NdArray> values;
  const auto add = [&](const MemoryColumn& c) {
    values.insert_or_assign(c.column().name, c.at(static_cast<std::uint64_t>(place)));
  };
  for (const auto name : names) add(column(is_stat, name));
  if (!names.empty()) return values;
  for (const auto& c : is_stat ? stats_ : draws_) add(c);
  return values;
}

void MemoryDraws::add_facts(const ChainFacts& facts) {
  const std::lock_guard lock(mutex_);
  if (facts.seed) facts_.seed = facts.seed;
  if (facts.step_size) facts_.step_size = facts.step_size;
  if (!facts.inverse_metric.empty()) {
    facts_.inverse_metric = facts.inverse_metric;
    facts_.is_dense = facts.is_dense;
  }
}

ChainFacts MemoryDraws::facts() const {
  const std::lock_guard lock(mutex_);
  return facts_;
}

MemoryChain::MemoryChain(std::shared_ptr<MemoryDraws> draws, bool is_new)
    : draws_(std::move(draws)),
      is_new_(is_new),
      end_(draws_->length()),
      draw_matcher_(*draws_->registration().schema, false),
      stat_matcher_(*draws_->registration().schema, true) {}

void MemoryChain::require_open() const {
  if (is_closed_)
    throw Error("closed", "chain " + std::to_string(number()) + " was closed: open it again by init_chain");
}

const MemoryDraws& MemoryChain::read() const {
  draws_->registration().require();
  return *draws_;
}

void MemoryChain::append(View<NamedValue> draw, View<NamedValue> stats) {
  require_open();
  draws_->append(end_, draw, stats, draw_matcher_, stat_matcher_);
  ++end_;
}

std::uint64_t MemoryChain::append_batch(const DrawBatch& batch) {
  require_open();
  BatchRows rows(*draws_->registration().schema, batch);
  const auto start = batch.start.value_or(end_);
  const auto length = draws_->append(start, rows);
  // A start of its own says that the caller knows the chain's content, which somebody else may have written further.
  end_ = batch.start ? length : start + batch.count;
  return length;
}

std::uint64_t MemoryChain::length() { return read().length(); }

NdArray MemoryChain::get_draws(std::string_view name, const Slice& slice) {
  return read().array_of(false, name, slice);
}

NdArray MemoryChain::get_stats(std::string_view name, const Slice& slice) { return read().array_of(true, name, slice); }

std::vector<NdArray> MemoryChain::get_draws_list(std::string_view name, const Slice& slice) {
  return read().list_of(false, name, slice);
}

std::vector<NdArray> MemoryChain::get_stats_list(std::string_view name, const Slice& slice) {
  return read().list_of(true, name, slice);
}

std::map<std::string, NdArray> MemoryChain::get_draws_at(std::int64_t index, View<std::string_view> names) {
  return read().at(false, index, names);
}

std::map<std::string, NdArray> MemoryChain::get_stats_at(std::int64_t index, View<std::string_view> names) {
  return read().at(true, index, names);
}

void MemoryChain::set_facts(const ChainFacts& facts) {
  draws_->registration().require();
  draws_->add_facts(facts);
}

ChainFacts MemoryChain::facts() { return read().facts(); }

}  // namespace mcbackend
