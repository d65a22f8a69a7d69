# Tests against a server, which each process starts once for all of its tests: a filter is one test of CTest.
function(mcbackend_server_program name)
  add_executable(${name} ${ARGN} support/test_server.cpp)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src ${CMAKE_CURRENT_SOURCE_DIR})
  target_compile_definitions(${name} PRIVATE
    MCBACKEND_CHECKOUT="${PROJECT_SOURCE_DIR}/../.."
    MCBACKEND_TESTS="${CMAKE_CURRENT_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE mcbackend mcbackend_warnings CURL::libcurl GTest::gtest_main)
endfunction()

# A test of CTest for the tests of a program that a filter of GoogleTest names.
function(mcbackend_server_test name program filter)
  add_test(NAME ${name} COMMAND ${program} --gtest_filter=${filter})
  set_tests_properties(${name} PROPERTIES TIMEOUT 300 LABELS server)
endfunction()

mcbackend_server_program(mcbackend_server_tests
  faults_test.cpp
  http_failure_test.cpp
  http_roundtrip_test.cpp
  http_runs_test.cpp
  http_security_test.cpp
  http_sizes_test.cpp)
# Apart from them, since its operator new fails.
mcbackend_server_program(http_memory_tests http_memory_test.cpp)

mcbackend_server_test(faults_test mcbackend_server_tests Faults.*)
mcbackend_server_test(http_failure_test mcbackend_server_tests Failures.*:Faults/Passing.*)
mcbackend_server_test(http_memory_test http_memory_tests *)
# All others, so that none is left out.
mcbackend_server_test(http_test mcbackend_server_tests -Faults.*:Failures.*:Faults/Passing.*)
