// The backend in memory: runs and their chains.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <limits>
#include <mcbackend/memory.hpp>

#include "memory_chain.hpp"
#include "registration.hpp"

namespace mcbackend {
namespace {

constexpr std::size_t max_chains = 10'000;
constexpr std::uint32_t max_limit = 1000;

/// RFC 3339 in UTC with milliseconds.
std::string timestamp_of(SystemTime time) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  const auto seconds = static_cast<std::time_t>(ms / 1000);
  std::tm parts{};
#ifdef _WIN32
  gmtime_s(&parts, &seconds);
#else
  gmtime_r(&seconds, &parts);
#endif
  char date[32];
  const auto size = std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S.", &parts);
  const auto millis = std::to_string(1000 + ms % 1000).substr(1);
  return std::string(date, size) + millis + "Z";
}

struct RunState {
  std::shared_ptr<MemoryRegistration> registration;
  std::uint64_t order = 0;
  SystemTime created_at;
  std::mutex mutex;
  std::map<std::int32_t, std::shared_ptr<MemoryDraws>> chains;
};

RunSummary summary_of(RunState& run) {
  const std::lock_guard lock(run.mutex);
  RunSummary line;
  line.rid = run.registration->meta.rid;
  line.variables = run.registration->meta.variables.size();
  line.sample_stats = run.registration->meta.sample_stats.size();
  line.chains = run.chains.size();
  auto updated_at = run.created_at;
  for (const auto& entry : run.chains) {
    line.draws += entry.second->length();
    updated_at = std::max(updated_at, entry.second->updated_at());
  }
  line.created_at = timestamp_of(run.created_at);
  line.updated_at = timestamp_of(updated_at);
  return line;
}

class MemoryRun final : public Run {
 public:
  MemoryRun(std::shared_ptr<RunState> state, bool is_new) : state_(std::move(state)), is_new_(is_new) {}

  const RunMeta& meta() const noexcept override { return state_->registration->meta; }
  const std::string& meta_bytes() const noexcept override { return state_->registration->bytes; }
  const std::string& registration() const noexcept override { return state_->registration->id; }
  bool is_new() const noexcept override { return is_new_; }

  std::shared_ptr<Chain> init_chain(std::int32_t number, bool exclusive) override {
    require_chain_number(number);
    state_->registration->require();
    const std::lock_guard lock(state_->mutex);
    if (const auto found = state_->chains.find(number); found != state_->chains.end()) {
      if (exclusive) throw Error("chain_exists", "chain " + std::to_string(number) + " exists");
      return std::make_shared<MemoryChain>(found->second, false);
    }
    if (state_->chains.size() >= max_chains) throw Error("invalid_run_meta", "a run has at most 10000 chains");
    auto draws = std::make_shared<MemoryDraws>(state_->registration, number);
    auto chain = std::make_shared<MemoryChain>(draws, true);
    state_->chains.emplace(number, std::move(draws));
    return chain;
  }

  std::shared_ptr<Chain> get_chain(std::int32_t number) override {
    state_->registration->require();
    const std::lock_guard lock(state_->mutex);
    const auto found = state_->chains.find(number);
    return found == state_->chains.end() ? nullptr : std::make_shared<MemoryChain>(found->second, false);
  }

  std::vector<std::shared_ptr<Chain>> get_chains() override {
    state_->registration->require();
    const std::lock_guard lock(state_->mutex);
    std::vector<std::shared_ptr<Chain>> all;
    for (const auto& entry : state_->chains) all.push_back(std::make_shared<MemoryChain>(entry.second, false));
    return all;
  }

 private:
  std::shared_ptr<RunState> state_;
  bool is_new_;
};

std::string lower(std::string text) {
  for (auto& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

class MemoryBackend final : public Backend {
 public:
  std::shared_ptr<Run> init_run(RunMeta meta) override {
    if (meta.rid.empty()) meta.rid = random_id();
    require_run_id(meta.rid);
    return init_run_bytes(encode_meta(meta));
  }

  std::shared_ptr<Run> init_run_bytes(std::string_view bytes) override {
    auto registration = std::make_shared<MemoryRegistration>();
    registration->meta = decode_meta(bytes);
    registration->bytes = bytes;
    require_run_id(registration->meta.rid);
    registration->schema = schema_of(registration->meta);
    require_storable(registration->meta);
    registration->id = random_id();
    const std::lock_guard lock(mutex_);
    if (const auto found = runs_.find(registration->meta.rid); found != runs_.end()) {
      if (is_equal_meta(found->second->registration->bytes, bytes)) {
        return std::make_shared<MemoryRun>(found->second, false);
      }
      throw Error("run_conflict", "the run \"" + registration->meta.rid + "\" is registered with different metadata");
    }
    auto run = std::make_shared<RunState>();
    run->registration = std::move(registration);
    run->order = ++registered_;
    run->created_at = std::chrono::system_clock::now();
    runs_.emplace(run->registration->meta.rid, run);
    return std::make_shared<MemoryRun>(run, true);
  }

  std::shared_ptr<Run> get_run(std::string_view rid) override {
    const std::lock_guard lock(mutex_);
    const auto found = runs_.find(rid);
    return found == runs_.end() ? nullptr : std::make_shared<MemoryRun>(found->second, false);
  }

  RunPage list_runs(const RunQuery& query) override {
    if (query.limit == 0 || query.limit > max_limit)
      throw Error("invalid_parameter", "the limit of a list is 1 to 1000");
    auto found = runs_before(cursor_of(query.cursor), query);
    RunPage page;
    const bool has_more = found.size() > query.limit;
    if (has_more) found.resize(query.limit);
    for (const auto& run : found) page.runs.push_back(summary_of(*run));
    if (has_more) page.next_cursor = std::to_string(found.back()->order);
    return page;
  }

  bool delete_run(std::string_view rid) override {
    const std::lock_guard lock(mutex_);
    const auto found = runs_.find(rid);
    if (found == runs_.end()) return false;
    found->second->registration->is_gone = true;
    runs_.erase(found);
    return true;
  }

 private:
  static std::uint64_t cursor_of(const std::string& text) {
    if (text.empty()) return std::numeric_limits<std::uint64_t>::max();
    std::uint64_t order = 0;
    const auto* end = text.data() + text.size();
    if (const auto result = std::from_chars(text.data(), end, order); result.ec != std::errc() || result.ptr != end) {
      throw Error("invalid_parameter", "\"" + text + "\" is no cursor of a list");
    }
    return order;
  }

  /// The latest registered first.
  std::vector<std::shared_ptr<RunState>> runs_before(std::uint64_t order, const RunQuery& query) {
    std::vector<std::shared_ptr<RunState>> found;
    if (!query.tags.empty()) return found;  // no run has a tag here
    const auto part = lower(query.q);
    const std::lock_guard lock(mutex_);
    for (const auto& [rid, run] : runs_) {
      if (run->order < order && lower(rid).find(part) != std::string::npos) found.push_back(run);
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a->order > b->order; });
    return found;
  }

  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<RunState>, std::less<>> runs_;
  std::uint64_t registered_ = 0;
};

}  // namespace

std::shared_ptr<Backend> memory_backend() { return std::make_shared<MemoryBackend>(); }

}  // namespace mcbackend
