#include "http_reader.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "wire_batch.hpp"

namespace mcbackend::http {
namespace {

/// Bytes that a page aims at.
constexpr std::size_t page_bytes = std::size_t{16} << 20;
/// Draws of the first page where their size is not known; the sizes that come tell how many the next one has.
constexpr std::uint64_t first_draws = 256;
/// Growth of a page from the one before, or its shrinking when the answer would have been too long.
constexpr std::uint64_t page_factor = 16;
/// Characters of names in one query; servers refuse addresses beyond 8 to 16 KiB.
constexpr std::size_t query_characters = 4096;
/// The greatest index there is, which no chain has a draw at: one behind it must be there as a bound.
constexpr auto last_index = std::numeric_limits<std::int64_t>::max();
/// Bytes of an answer at most, which a server bounds by 1 GiB of draws.
constexpr std::size_t max_answer = (std::size_t{1} << 30) + (std::size_t{64} << 20);

bool is_sized(const Column& column) noexcept { return column.is_rigid && column.dtype != DType::str; }

std::uint64_t draws_of_page(std::size_t draw_bytes) noexcept {
  return std::max<std::uint64_t>(1, page_bytes / std::max<std::size_t>(1, draw_bytes));
}

std::string name_query(const Column& column) { return (column.is_stat ? "stat=" : "var=") + escaped(column.name); }

/// The part of a slice by absolute indices, which are the same draws in every answer, also while the chain grows.
std::string part_query(const ResolvedSlice& slice, std::uint64_t done, std::uint64_t count) {
  const auto first = slice.at(done);
  const auto last = slice.at(done + count - 1);
  std::string query = "&start=" + std::to_string(first);
  if (slice.step > 0) {
    query += "&stop=" + std::to_string(last + 1);
  } else if (last > 0) {
    query += "&stop=" + std::to_string(last - 1);
  }
  return query + "&step=" + std::to_string(slice.step);
}

std::string index_query(std::int64_t index) {
  if (index == -1) return "&start=-1";
  return "&start=" + std::to_string(index) + "&stop=" + std::to_string(index + 1);
}

const wire::DecodedColumn& column_of(const wire::DecodedBatch& batch, const Column& column) {
  const auto* found = column.is_stat ? batch.find_stat(column.name) : batch.find_draw(column.name);
  if (found == nullptr) damaged("it lacks " + column.label());
  return *found;
}

/// Bytes of an array. @throws Error by damaged() for a number of draws that no memory can have
std::size_t size_of(const Column& column, std::uint64_t count) {
  constexpr std::uint64_t most = std::numeric_limits<std::ptrdiff_t>::max();
  if (column.stride() != 0 && count > most / column.stride())
    damaged(std::to_string(count) + " draws of " + column.label() + " are more than memory can have");
  return static_cast<std::size_t>(count * column.stride());
}

/// Makes room by what has come and not by what is announced, and never more than the whole will take.
void append_page(std::vector<std::byte>& to, const std::vector<std::byte>& page, std::size_t whole) {
  if (to.capacity() - to.size() < page.size()) {
    const auto doubled = 2 * (to.size() + page.size());
    to.reserve(doubled > whole / 2 ? whole : doubled);
  }
  to.insert(to.end(), page.begin(), page.end());
}

[[noreturn]] void refuse_index(std::int64_t index) {
  throw Error("invalid_slice", "the chain has no iteration " + std::to_string(index));
}

}  // namespace

ChainReader::ChainReader(Link& link, std::shared_ptr<const RunState> run, std::int32_t number)
    : link_(link), run_(std::move(run)), number_(number), path_(run_->path + "/chains/" + std::to_string(number)) {}

Request ChainReader::request(std::string path, Media answer) const {
  Request request;
  request.path = std::move(path);
  request.registration = run_->registration;
  request.answer = answer;
  if (answer == Media::json) request.most = most_of_documents;
  if (answer == Media::protobuf) request.most = max_answer;
  return request;
}

std::uint64_t ChainReader::length() {
  auto asked = request(path_, Media::json);
  asked.most = Request{}.most;
  return link_.send(asked,
                    [this](const Answer& answer) { return chain_of(answer, number_).length; });
}

ResolvedSlice ChainReader::resolved(const Slice& slice) {
  resolve(slice, 0);  // a step of 0 is refused before anything is asked for
  return resolve(slice, length());
}

template <class Read>
auto ChainReader::page(const Column& column, const ResolvedSlice& slice, Part part, Read read) {
  const auto path = path_ + "/draws?" + name_query(column) + part_query(slice, part.done, part.count);
  return link_.send(request(path, Media::protobuf), [&](const Answer& answer) {
    const auto batch = wire::decode_batch(answer.body);
    if (batch.count != part.count || batch.start != slice.at(part.done)) {
      damaged(std::to_string(batch.count) + " draws from " + std::to_string(batch.start) +
              " on are not what was asked for");
    }
    return std::make_pair(read(column_of(batch, column), batch.count), answer.body.size());
  });
}

template <class Add>
void ChainReader::pages(const Column& column, const ResolvedSlice& slice, Add add) {
  auto each = is_sized(column) ? draws_of_page(column.stride()) : first_draws;
  for (std::uint64_t done = 0; done < slice.count;) {
    const auto count = std::min({each, slice.count - done, std::uint64_t{1} << 31U});
    try {
      const auto bytes = add(Part{done, count});
      done += count;
      if (!is_sized(column)) each = std::min(each * page_factor, draws_of_page(bytes / count));
    } catch (const Error& e) {
      if (e.code() != "payload_too_large" || count == 1) throw;
      each = std::max<std::uint64_t>(1, count / page_factor);
    }
  }
}

NdArray ChainReader::array(const Column& column, const Slice& slice) {
  const auto chosen = resolved(slice);
  const auto read = [&](const wire::DecodedColumn& found, std::uint32_t count) {
    return wire::rigid_draws(found, column, count);
  };
  const auto whole = is_sized(column) ? size_of(column, chosen.count) : 0;
  NdArray out;
  out.dtype = column.dtype;
  out.shape = {static_cast<std::int64_t>(chosen.count)};
  out.shape.insert(out.shape.end(), column.shape.begin(), column.shape.end());
  pages(column, chosen, [&](Part part) {
    auto [draws, bytes] = page(column, chosen, part, read);
    if (part.count == chosen.count) {
      out.bytes = std::move(draws.bytes);
      out.strings = std::move(draws.strings);
      return bytes;
    }
    if (is_sized(column)) {
      append_page(out.bytes, draws.bytes, whole);
    } else {
      out.strings.insert(out.strings.end(), std::make_move_iterator(draws.strings.begin()),
                         std::make_move_iterator(draws.strings.end()));
    }
    return bytes;
  });
  return out;
}

std::vector<NdArray> ChainReader::list(const Column& column, const Slice& slice) {
  const auto chosen = resolved(slice);
  const auto read = [&](const wire::DecodedColumn& found, std::uint32_t count) {
    return wire::listed_draws(found, column, count);
  };
  std::vector<NdArray> out;
  pages(column, chosen, [&](Part part) {
    auto [draws, bytes] = page(column, chosen, part, read);
    out.insert(out.end(), std::make_move_iterator(draws.begin()), std::make_move_iterator(draws.end()));
    return bytes;
  });
  return out;
}

ChainReader::Group ChainReader::group(std::int64_t index, const std::vector<const Column*>& columns) {
  std::string query;
  for (const auto* column : columns) query += (query.empty() ? "" : "&") + name_query(*column);
  return link_.send(
      request(path_ + "/draws?" + query + index_query(index), Media::protobuf), [&](const Answer& answer) {
        const auto batch = wire::decode_batch(answer.body);
        const bool is_other =
            batch.count > 1 || batch.start >= static_cast<std::uint64_t>(last_index) ||
            (batch.count == 1 && index >= 0 && batch.start != static_cast<std::uint64_t>(index));
        if (is_other) damaged("it is of another iteration than " + std::to_string(index));
        Group group{batch.start, batch.count, {}};
        for (const auto* column : columns) {
          if (batch.count == 1)
            group.values[column->name] = wire::listed_draws(column_of(batch, *column), *column, 1).front();
        }
        return group;
      });
}

std::map<std::string, NdArray> ChainReader::at(std::int64_t index, const std::vector<const Column*>& columns) {
  std::map<std::string, NdArray> values;
  auto at = index;
  if (index == last_index) refuse_index(index);
  if (columns.empty()) {
    const auto stop = index == -1 ? std::optional<std::int64_t>() : index + 1;
    if (resolved({index, stop, {}}).count == 0) refuse_index(index);
  }
  for (std::size_t done = 0; done < columns.size();) {
    std::vector<const Column*> some;
    std::size_t characters = 0;
    while (done < columns.size() && (some.empty() || characters < query_characters)) {
      some.push_back(columns[done++]);
      characters += name_query(*some.back()).size() + 1;
    }
    auto found = group(at, some);
    if (found.count == 0) refuse_index(index);
    values.merge(found.values);
    // The other columns come from the same iteration, also when the chain grows meanwhile.
    at = static_cast<std::int64_t>(found.start);
  }
  return values;
}

ChainFacts ChainReader::facts() {
  try {
    return link_.send(request(run_->path + "/about", Media::json),
                      [this](const Answer& answer) { return facts_of(answer, number_); });
  } catch (const Error& e) {
    // A server of an older release knows none.
    if (e.code() == "not_found") return {};
    throw;
  }
}

}  // namespace mcbackend::http
