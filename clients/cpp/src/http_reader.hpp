// Reads of one chain: long slices come in pages, so that the memory they take is the result's and one page's.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "http_link.hpp"
#include "http_writer.hpp"
#include "schema.hpp"
#include "slices.hpp"

namespace mcbackend::http {

class ChainReader {
 public:
  ChainReader(Link& link, std::shared_ptr<const RunState> run, std::int32_t number);

  std::uint64_t length();
  /// Draws of a rigid column: [draws, ...shape].
  NdArray array(const Column& column, const Slice& slice);
  /// Draws of any column.
  std::vector<NdArray> list(const Column& column, const Slice& slice);
  /// Values of one iteration. @throws Error invalid_slice where there is none of that index
  std::map<std::string, NdArray> at(std::int64_t index, const std::vector<const Column*>& columns);
  ChainFacts facts();

 private:
  /// Some consecutive draws of a slice: those of `count`, behind `done` others.
  struct Part {
    std::uint64_t done;
    std::uint64_t count;
  };
  struct Group {
    std::uint64_t start;
    std::uint32_t count;
    std::map<std::string, NdArray> values;
  };

  Request request(std::string path, Media answer) const;
  ResolvedSlice resolved(const Slice& slice);
  template <class Read>
  auto page(const Column& column, const ResolvedSlice& slice, Part part, Read read);
  template <class Add>
  void pages(const Column& column, const ResolvedSlice& slice, Add add);
  Group group(std::int64_t index, const std::vector<const Column*>& columns);

  Link& link_;
  std::shared_ptr<const RunState> run_;
  std::int32_t number_;
  std::string path_;
};

}  // namespace mcbackend::http
