// A chain in memory: what it holds, and the handles that users have of it.
#pragma once

#include <atomic>
#include <chrono>
#include <mcbackend/interfaces.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "batch_rows.hpp"
#include "memory_column.hpp"
#include "schema.hpp"

namespace mcbackend {

using SystemTime = std::chrono::system_clock::time_point;

/// Facts of a registration that its chains refer to.
struct MemoryRegistration {
  RunMeta meta;
  std::string bytes;
  std::string id;
  std::shared_ptr<const Schema> schema;
  /// Set when the run is deleted; its handles do nothing from then on.
  std::atomic<bool> is_gone{false};

  /// @throws Error run_not_found
  void require() const;
};

/// Draws of a chain, for several handles and threads.
class MemoryDraws {
 public:
  MemoryDraws(std::shared_ptr<const MemoryRegistration> registration, std::int32_t number);

  std::int32_t number() const noexcept { return number_; }
  const MemoryRegistration& registration() const noexcept { return *registration_; }
  std::uint64_t length() const;
  SystemTime updated_at() const;

  /// The append table of docs/protocol.md §3 for one draw that was checked. Returns the length.
  std::uint64_t append(std::uint64_t start, View<NamedValue> draw, View<NamedValue> stats, Matcher& draws,
                       Matcher& stat_matcher);
  std::uint64_t append(std::uint64_t start, BatchRows& rows);

  NdArray array_of(bool is_stat, std::string_view name, const Slice& slice) const;
  std::vector<NdArray> list_of(bool is_stat, std::string_view name, const Slice& slice) const;
  std::map<std::string, NdArray> at(bool is_stat, std::int64_t index, View<std::string_view> names) const;

  void add_facts(const ChainFacts& facts);
  ChainFacts facts() const;

 private:
  struct Row {
    View<NamedValue> draw, stats;
    View<std::uint32_t> draw_order, stat_order;
  };
  const MemoryColumn& column(bool is_stat, std::string_view name) const;
  void require_no_gap(std::uint64_t start) const;
  void require_same(std::uint64_t index, const Row& row) const;
  void push(const Row& row);

  std::shared_ptr<const MemoryRegistration> registration_;
  std::int32_t number_;
  mutable std::mutex mutex_;
  std::vector<MemoryColumn> draws_, stats_;
  std::uint64_t length_ = 0;
  SystemTime updated_at_;
  ChainFacts facts_;
};

/// A handle. Its appends go behind those that were there when it was opened, and behind its own.
class MemoryChain final : public Chain {
 public:
  MemoryChain(std::shared_ptr<MemoryDraws> draws, bool is_new);

  const std::string& rid() const noexcept override { return draws_->registration().meta.rid; }
  std::int32_t number() const noexcept override { return draws_->number(); }
  bool is_new() const noexcept override { return is_new_; }
  void append(View<NamedValue> draw, View<NamedValue> stats) override;
  std::uint64_t append_batch(const DrawBatch& batch) override;
  void flush() override { draws_->registration().require(); }
  void close() override { is_closed_ = true; }
  std::uint64_t length() override;
  NdArray get_draws(std::string_view name, const Slice& slice) override;
  NdArray get_stats(std::string_view name, const Slice& slice) override;
  std::vector<NdArray> get_draws_list(std::string_view name, const Slice& slice) override;
  std::vector<NdArray> get_stats_list(std::string_view name, const Slice& slice) override;
  std::map<std::string, NdArray> get_draws_at(std::int64_t index, View<std::string_view> names) override;
  std::map<std::string, NdArray> get_stats_at(std::int64_t index, View<std::string_view> names) override;
  void set_facts(const ChainFacts& facts) override;
  ChainFacts facts() override;

 private:
  void require_open() const;
  const MemoryDraws& read() const;

  std::shared_ptr<MemoryDraws> draws_;
  bool is_new_;
  bool is_closed_ = false;
  std::uint64_t end_;
  Matcher draw_matcher_, stat_matcher_;
};

}  // namespace mcbackend
