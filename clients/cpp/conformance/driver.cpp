// The driver of the C++ client, for the conformance kit: a JSON command a line in, an answer a line out
// (conformance/drivers/README.md).
#include <chrono>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <limits>
#include <mcbackend/mcbackend.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base64.hpp"
#include "json.hpp"

namespace {

using mcbackend::Error;
using mcbackend::NdArray;
using mcbackend::json::List;
using mcbackend::json::Object;
using mcbackend::json::Value;

constexpr std::string_view help =
    "The driver of the C++ client, for the conformance kit:\n\n"
    "  npm run conform -- --driver 'build/mcbackend_conformance_driver'\n\n"
    "It reads a JSON command a line from standard input and writes an answer a line, as conformance/drivers/README.md\n"
    "says. MCB_URL names the server, MCB_TOKEN the key, MCB_RETRY_BASE_MS, MCB_RETRY_CAP_MS and MCB_RETRY_LIMIT_MS "
    "the\n"
    "times of retries.\n";

/// A defect of the driver, or a command that it cannot read.
struct DriverError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Arrays.

const Value& need(const Value& command, std::string_view name) {
  const auto* member = command.find(name);
  if (member == nullptr) throw DriverError("the command has no \"" + std::string(name) + "\"");
  return *member;
}

std::int64_t integer(const Value& command, std::string_view name) {
  const auto number = need(command, name).integer();
  if (!number) throw DriverError("\"" + std::string(name) + "\" is no whole number");
  return *number;
}

NdArray array_of(const Value& given) {
  const auto dtype = mcbackend::dtype_of(given.text_of("dtype"));
  if (!dtype) throw DriverError("there is no dtype \"" + given.text_of("dtype") + "\"");
  NdArray array;
  array.dtype = *dtype;
  for (const auto& n : *need(given, "shape").list()) array.shape.push_back(n.integer().value());
  if (array.dtype == mcbackend::DType::str) {
    for (const auto& text : *need(given, "strings").list()) array.strings.push_back(*text.text());
  } else {
    array.bytes = mcbackend::conformance::from_base64(given.text_of("data"));
  }
  return array;
}

mcbackend::Draws draws_of(const Value& given) {
  const auto* list = given.find("list");
  if (list == nullptr) return array_of(given);
  std::vector<NdArray> arrays;
  for (const auto& array : *list->list()) arrays.push_back(array_of(array));
  return arrays;
}

Value json_of(const NdArray& array) {
  List shape;
  for (const auto n : array.shape) shape.emplace_back(n);
  Object object{{"dtype", mcbackend::name_of(array.dtype)}, {"shape", shape}};
  if (array.dtype == mcbackend::DType::str) {
    List strings;
    for (const auto& text : array.strings) strings.emplace_back(text);
    object.emplace_back("strings", strings);
  } else {
    object.emplace_back("data", mcbackend::conformance::to_base64(array.bytes));
  }
  return object;
}

template <class Arrays>
Value json_of_each(const Arrays& arrays) {
  Object object;
  for (const auto& [name, array] : arrays) object.emplace_back(name, json_of(array));
  return object;
}

// Slices.

/// Interfaces of C++ have 64 bits; beyond them, the ends of that range select the same iterations.
std::optional<std::int64_t> bound(const Value& command, std::string_view name) {
  const auto text = command.text_of(name);
  if (text.empty()) return {};
  try {
    return std::stoll(text);
  } catch (const std::out_of_range&) {
    using limits = std::numeric_limits<std::int64_t>;
    return text.front() == '-' ? limits::min() : limits::max();
  }
}

mcbackend::Slice slice_of(const Value& command) {
  return {bound(command, "start"), bound(command, "stop"), bound(command, "step")};
}

class Driver {
 public:
  explicit Driver(std::shared_ptr<mcbackend::Backend> backend) : backend_(std::move(backend)) {}

  Value answer(const Value& command) {
    const auto op = command.text_of("op");
    const auto found = ops().find(op);
    if (found == ops().end()) throw Error("not_implemented", "the driver has no command \"" + op + "\"");
    return found->second(*this, command);
  }

 private:
  using Op = std::function<Value(Driver&, const Value&)>;
  /// A chain and the handle of its run: another registration of the same rid may have other variables.
  struct OpenChain {
    std::shared_ptr<mcbackend::Chain> chain;
    std::shared_ptr<mcbackend::Run> run;
  };

  static const std::unordered_map<std::string, Op>& ops();

  // Handles.

  Value run_handle(std::shared_ptr<mcbackend::Run> run) {
    if (run == nullptr) return nullptr;
    const auto& bytes = run->meta_bytes();
    const std::vector<std::byte> meta(reinterpret_cast<const std::byte*>(bytes.data()),
                                      reinterpret_cast<const std::byte*>(bytes.data() + bytes.size()));
    Object object{{"run", std::uint64_t{runs_.size()}},
                  {"meta", mcbackend::conformance::to_base64(meta)},
                  {"registration", run->registration()},
                  {"isNew", run->is_new()}};
    runs_.push_back(std::move(run));
    return object;
  }

  Value chain_handle(const Value& command, std::shared_ptr<mcbackend::Chain> chain) {
    if (chain == nullptr) return nullptr;
    Object object{{"chain", std::uint64_t{chains_.size()}}, {"number", chain->number()}, {"isNew", chain->is_new()}};
    chains_.push_back({std::move(chain), runs_.at(run_index(command))});
    return object;
  }

  static std::size_t run_index(const Value& command) { return static_cast<std::size_t>(integer(command, "run")); }

  mcbackend::Run& run_of(const Value& command) { return *runs_.at(run_index(command)); }

  const OpenChain& open_chain(const Value& command) {
    return chains_.at(static_cast<std::size_t>(integer(command, "chain")));
  }

  mcbackend::Chain& chain_of(const Value& command) { return *open_chain(command).chain; }

  /// A number that does not fit wraps around, as it would in a user's program, and is refused as a negative one.
  static std::int32_t chain_number(const Value& command) {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(integer(command, "number")));
  }

  // Commands.

  static Value hello() {
    return Object{{"protocol", 1},
                  {"client", "mcbackend"},
                  {"version", MCBACKEND_VERSION},
                  {"language", "C++17"},
                  {"lacks", Object{}}};
  }

  Value init_run(const Value& command) {
    const auto meta = mcbackend::conformance::from_base64(command.text_of("meta"));
    return run_handle(backend_->init_run_bytes({reinterpret_cast<const char*>(meta.data()), meta.size()}));
  }

  Value list_runs(const Value& command) {
    mcbackend::RunQuery query;
    query.q = command.text_of("q");
    query.cursor = command.text_of("cursor");
    if (command.find("limit") != nullptr) query.limit = static_cast<std::uint32_t>(integer(command, "limit"));
    if (const auto* tags = command.find("tags"); tags != nullptr && tags->list() != nullptr) {
      for (const auto& tag : *tags->list()) query.tags.push_back(*tag.text());
    }
    const auto page = backend_->list_runs(query);
    List runs;
    for (const auto& run : page.runs) {
      runs.emplace_back(Object{{"rid", run.rid},
                               {"createdAt", run.created_at},
                               {"updatedAt", run.updated_at},
                               {"variables", run.variables},
                               {"sampleStats", run.sample_stats},
                               {"chains", run.chains},
                               {"draws", run.draws}});
    }
    Object answer{{"runs", runs}};
    if (!page.next_cursor.empty()) answer.emplace_back("nextCursor", page.next_cursor);
    return answer;
  }

  Value describe(const Value& command) {
    const auto& run = run_of(command);
    Object dims;
    for (const auto& [name, names] : run.dims()) {
      List list;
      for (const auto& dim : names) list.emplace_back(dim);
      dims.emplace_back(name, list);
    }
    return Object{{"coords", json_of_each(run.coords())},
                  {"dims", dims},
                  {"constantData", json_of_each(run.constant_data())},
                  {"observedData", json_of_each(run.observed_data())}};
  }

  Value init_chain(const Value& command) {
    const auto* exclusive = command.find("exclusive");
    const bool is_exclusive = exclusive != nullptr && exclusive->boolean().value_or(false);
    return chain_handle(command, run_of(command).init_chain(chain_number(command), is_exclusive));
  }

  Value get_chains(const Value& command) {
    List chains;
    for (auto& chain : run_of(command).get_chains()) chains.push_back(chain_handle(command, std::move(chain)));
    return chains;
  }

  Value append(const Value& command) {
    const auto arrays_of = [&command](std::string_view side) {
      std::vector<std::pair<std::string, NdArray>> arrays;
      if (const auto* members = command.find(side)) {
        for (const auto& [name, array] : *members->object()) arrays.emplace_back(name, array_of(array));
      }
      return arrays;
    };
    const auto values_of = [](const std::vector<std::pair<std::string, NdArray>>& arrays) {
      std::vector<mcbackend::NamedValue> values;
      values.reserve(arrays.size());
      for (const auto& [name, array] : arrays) values.push_back({name, array});
      return values;
    };
    const auto draws = arrays_of("draws");
    const auto stats = arrays_of("stats");
    chain_of(command).append(values_of(draws), values_of(stats));
    return nullptr;
  }

  Value append_batch(const Value& command) {
    mcbackend::DrawBatch batch;
    if (command.find("start") != nullptr) batch.start = static_cast<std::uint64_t>(integer(command, "start"));
    batch.count = static_cast<std::uint32_t>(integer(command, "count"));
    const auto add = [&command](std::string_view side, std::vector<mcbackend::NamedDraws>& to) {
      const auto* members = command.find(side);
      if (members == nullptr) return;
      for (const auto& [name, draws] : *members->object()) to.push_back({name, draws_of(draws)});
    };
    add("draws", batch.draws);
    add("stats", batch.stats);
    return chain_of(command).append_batch(batch);
  }

  Value get_draws(const Value& command) {
    auto& chain = chain_of(command);
    const auto name = command.text_of("name");
    const auto slice = slice_of(command);
    if (!is_ragged(command, false)) return json_of(chain.get_draws(name, slice));
    return list(chain.get_draws_list(name, slice));
  }

  Value get_stats(const Value& command) {
    auto& chain = chain_of(command);
    const auto name = command.text_of("name");
    const auto slice = slice_of(command);
    if (!is_ragged(command, true)) return json_of(chain.get_stats(name, slice));
    return list(chain.get_stats_list(name, slice));
  }

  static Value list(const std::vector<NdArray>& arrays) {
    List items;
    for (const auto& array : arrays) items.push_back(json_of(array));
    return Object{{"list", items}};
  }

  /// Variables or sampler stats of the chain's run, which a program that reads draws knows.
  const std::vector<mcbackend::Variable>& variables_of(const Value& command, bool is_stat) {
    const auto& meta = open_chain(command).run->meta();
    return is_stat ? meta.sample_stats : meta.variables;
  }

  bool is_ragged(const Value& command, bool is_stat) {
    for (const auto& v : variables_of(command, is_stat)) {
      if (v.name == command.text_of("name")) return !v.is_rigid();
    }
    return false;
  }

  /// One iteration. Values come in a map, which has no order of its own: they are told in the order in which they were
  /// asked for.
  Value at(const Value& command, bool is_stat) {
    std::vector<std::string_view> names;
    const auto* given = command.find("names");
    if (given != nullptr && given->list()->empty()) return Object{};
    if (given != nullptr) {
      for (const auto& name : *given->list()) names.emplace_back(*name.text());
    }
    auto& chain = chain_of(command);
    const auto index = integer(command, "index");
    const auto values = is_stat ? chain.get_stats_at(index, names) : chain.get_draws_at(index, names);
    if (given == nullptr) {
      for (const auto& v : variables_of(command, is_stat)) names.emplace_back(v.name);
    }
    Object object;
    for (const auto name : names) object.emplace_back(std::string(name), json_of(values.at(std::string(name))));
    return object;
  }

  std::shared_ptr<mcbackend::Backend> backend_;
  std::vector<std::shared_ptr<mcbackend::Run>> runs_;
  std::vector<OpenChain> chains_;
};

const std::unordered_map<std::string, Driver::Op>& Driver::ops() {
  static const std::unordered_map<std::string, Op> all{
      {"hello", [](Driver&, const Value&) { return hello(); }},
      {"initRun", [](Driver& d, const Value& c) { return d.init_run(c); }},
      {"getRun", [](Driver& d, const Value& c) { return d.run_handle(d.backend_->get_run(c.text_of("rid"))); }},
      {"listRuns", [](Driver& d, const Value& c) { return d.list_runs(c); }},
      {"deleteRun", [](Driver& d, const Value& c) { return Value(d.backend_->delete_run(c.text_of("rid"))); }},
      {"describe", [](Driver& d, const Value& c) { return d.describe(c); }},
      {"initChain", [](Driver& d, const Value& c) { return d.init_chain(c); }},
      {"getChain", [](Driver& d, const Value& c) { return d.chain_handle(c, d.run_of(c).get_chain(chain_number(c))); }},
      {"getChains", [](Driver& d, const Value& c) { return d.get_chains(c); }},
      {"append", [](Driver& d, const Value& c) { return d.append(c); }},
      {"appendBatch", [](Driver& d, const Value& c) { return d.append_batch(c); }},
      {"flush",
       [](Driver& d, const Value& c) {
         d.chain_of(c).flush();
         return Value();
       }},
      {"length", [](Driver& d, const Value& c) { return Value(d.chain_of(c).length()); }},
      {"getDraws", [](Driver& d, const Value& c) { return d.get_draws(c); }},
      {"getStats", [](Driver& d, const Value& c) { return d.get_stats(c); }},
      {"getDrawsAt", [](Driver& d, const Value& c) { return d.at(c, false); }},
      {"getStatsAt", [](Driver& d, const Value& c) { return d.at(c, true); }}};
  return all;
}

std::string answer_line(Driver& driver, const std::string& line) {
  Value id;
  try {
    const auto command = mcbackend::json::parse(line);
    id = need(command, "id");
    return dump(Object{{"id", id}, {"ok", driver.answer(command)}});
  } catch (const Error& error) {
    Object told{{"code", error.code()}, {"detail", error.what()}};
    if (error.length()) told.emplace_back("length", *error.length());
    return dump(Object{{"id", id}, {"error", told}});
  } catch (const std::exception& error) {
    return dump(Object{{"id", id}, {"error", Object{{"code", "driver"}, {"detail", error.what()}}}});
  }
}

void set_from(const char* variable, std::chrono::milliseconds& time) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): there are no threads yet
  if (const char* text = std::getenv(variable)) time = std::chrono::milliseconds(std::stoll(text));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) {
    std::cout << help;
    return std::string_view(argv[1]) == "--help" ? 0 : 2;
  }
  try {
    auto options = mcbackend::HttpOptions::from_environment();
    set_from("MCB_RETRY_BASE_MS", options.retry.base);
    set_from("MCB_RETRY_CAP_MS", options.retry.cap);
    set_from("MCB_RETRY_LIMIT_MS", options.retry.limit);
    options.log = [](const std::string& message) { std::cerr << message << '\n'; };
    Driver driver(mcbackend::http_backend(std::move(options)));
    std::ios::sync_with_stdio(false);
    for (std::string line; std::getline(std::cin, line);) std::cout << answer_line(driver, line) << std::endl;
  } catch (const std::exception& error) {
    std::cerr << "mcbackend_conformance_driver: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
