/// @file
/// McBackend's three interfaces: a Backend holds runs, a Run holds chains, a Chain holds draws and sampler stats.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "meta.hpp"
#include "types.hpp"

namespace mcbackend {

/// Facts of a chain that are known late: after warmup, or at its start.
struct ChainFacts {
  /// Seed of the random numbers.
  std::optional<std::uint64_t> seed;
  /// Step size of the draws behind warmup.
  std::optional<double> step_size;
  /// Diagonal of the inverse metric, or all of it in C order where it is dense. Empty when it is not known.
  std::vector<double> inverse_metric;
  /// True where `inverse_metric` is a whole matrix, which is told as a list of rows, and not a diagonal.
  bool is_dense = false;
};

/// Draws and sampler stats of one chain. Appending is for one thread at a time; chains of one run may be used from several threads.
class Chain {
 public:
  Chain() = default;
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;
  virtual ~Chain() = default;

  /// Identifier of the run.
  virtual const std::string& rid() const noexcept = 0;
  /// Number of the chain in its run.
  virtual std::int32_t number() const noexcept = 0;
  /// True where the call that gave this handle created the chain.
  virtual bool is_new() const noexcept = 0;

  /// Takes a copy of one iteration: a value for every variable, and for those sampler stats that there are. Everything is checked before
  /// anything is kept. Blocks only while as many bytes wait as the backend may hold.
  /// @throws Error missing_variable, unknown_variable, duplicate_variable, dtype_mismatch, shape_mismatch; any earlier failure of this chain
  virtual void append(View<NamedValue> draw, View<NamedValue> stats = {}) = 0;
  /// Appends whole iterations behind those that were appended before. Returns the new length when they are durable. A large batch
  /// takes several requests: when it throws, a part may be stored, and the same batch may be appended again.
  virtual std::uint64_t append_batch(const DrawBatch& batch) = 0;
  /// Returns when everything that was appended is durable. @throws Error when it will not become so; once, of facts that could not be
  /// stored
  virtual void flush() = 0;
  /// flush(), and no more appends: they are refused as "closed". Reading goes on. Closing twice is nothing new. Facts that could not be
  /// stored are thrown once, and the handle is closed all the same.
  virtual void close() = 0;

  /// Number of durable iterations; what was appended here is flushed first.
  virtual std::uint64_t length() = 0;
  /// Draws of a variable of fixed shape: [draws, ...shape]. @throws Error unknown_variable; shape_mismatch where the shape varies
  virtual NdArray get_draws(std::string_view name, const Slice& slice = {}) = 0;
  /// Draws of a sampler stat, as `get_draws` gives those of a variable.
  virtual NdArray get_stats(std::string_view name, const Slice& slice = {}) = 0;
  /// Draws of any variable, an array a draw.
  virtual std::vector<NdArray> get_draws_list(std::string_view name, const Slice& slice = {}) = 0;
  /// Draws of any sampler stat, an array a draw.
  virtual std::vector<NdArray> get_stats_list(std::string_view name, const Slice& slice = {}) = 0;
  /// One iteration of all variables, or of those named. A negative index counts from the end. @throws Error invalid_slice out of range
  virtual std::map<std::string, NdArray> get_draws_at(std::int64_t index, View<std::string_view> names = {}) = 0;
  /// One iteration of sampler stats, as `get_draws_at` gives that of variables.
  virtual std::map<std::string, NdArray> get_stats_at(std::int64_t index, View<std::string_view> names = {}) = 0;

  /// Adds to what is known of this chain beside its draws; sent with the draws, durable after flush().
  virtual void set_facts(const ChainFacts& facts) = 0;
  /// Facts that are known of this chain; those of this handle are flushed first.
  virtual ChainFacts facts() = 0;
};

/// A run: what was registered, and its chains.
class Run {
 public:
  Run() = default;
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  virtual ~Run() = default;

  /// Metadata as they were registered.
  virtual const RunMeta& meta() const noexcept = 0;
  /// The registered message, with fields that this version does not know.
  virtual const std::string& meta_bytes() const noexcept = 0;
  /// Identity of this registration: a run that is deleted and registered again is another one.
  virtual const std::string& registration() const noexcept = 0;
  /// True where the call that gave this handle registered the run.
  virtual bool is_new() const noexcept = 0;

  /// Creates a chain, or opens it where it exists. @param exclusive refuses one that exists: Error chain_exists. A chain that this very
  /// call has made is refused too, where the answer that told so was lost
  virtual std::shared_ptr<Chain> init_chain(std::int32_t number, bool exclusive = false) = 0;
  /// Null when there is none.
  virtual std::shared_ptr<Chain> get_chain(std::int32_t number) = 0;
  /// All chains, by number.
  virtual std::vector<std::shared_ptr<Chain>> get_chains() = 0;

  /// Identifier of the run.
  const std::string& rid() const noexcept { return meta().rid; }
  /// Labels by dimension.
  std::map<std::string, NdArray> coords() const;
  /// Names of the dimensions of each variable and data variable that has them.
  std::map<std::string, std::vector<std::string>> dims() const;
  /// Data of the model that are no observations.
  std::map<std::string, NdArray> constant_data() const;
  /// Observations.
  std::map<std::string, NdArray> observed_data() const;
};

/// One line of a list of runs.
struct RunSummary {
  /// Identifier of the run.
  std::string rid;
  /// RFC 3339 in UTC.
  std::string created_at;
  /// Time of the last write of draws; RFC 3339 in UTC.
  std::string updated_at;
  /// Number of variables.
  std::uint64_t variables = 0;
  /// Number of sampler stats.
  std::uint64_t sample_stats = 0;
  /// Number of chains.
  std::uint64_t chains = 0;
  /// Sum of the lengths of the chains.
  std::uint64_t draws = 0;
  /// Name that somebody gave it; empty when it has none.
  std::string name;
  /// Labels that somebody gave it.
  std::vector<std::string> tags;
  /// True for a run that lists leave out unless they are asked.
  bool archived = false;
};

/// Runs that a list has, and the page of it.
struct RunQuery {
  /// Part of the id or the name.
  std::string q;
  /// All of them must be there.
  std::vector<std::string> tags;
  /// Runs on the page: 1 to 1000.
  std::uint32_t limit = 100;
  /// `next_cursor` of the page before.
  std::string cursor;
};

/// Some runs of a list.
struct RunPage {
  /// Runs on this page.
  std::vector<RunSummary> runs;
  /// The beginning of the next page; empty on the last one.
  std::string next_cursor;
};

/// A place that holds runs: a server (`http_backend`), or this process (`memory_backend`).
class Backend {
 public:
  Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  virtual ~Backend() = default;

  /// Registers a run under `meta.rid`; an equal one that is registered already is opened. @throws Error run_conflict for a different one
  virtual std::shared_ptr<Run> init_run(RunMeta meta) = 0;
  /// Registers a message as it is, with fields that this version does not know; its rid must not be empty.
  virtual std::shared_ptr<Run> init_run_bytes(std::string_view meta) = 0;
  /// Null when there is none.
  virtual std::shared_ptr<Run> get_run(std::string_view rid) = 0;
  /// Runs in reverse order of registration.
  virtual RunPage list_runs(const RunQuery& query = {}) = 0;
  /// Deletes a run with its chains and draws; false when there was none.
  virtual bool delete_run(std::string_view rid) = 0;
};

}  // namespace mcbackend
