# Stan out of the folder that scripts/stan_toolchain.py fills: a target to link, and a function that translates models.
set(STAN_TOOLCHAIN "" CACHE PATH "Folder with stanc, include and lib")
if(NOT EXISTS "${STAN_TOOLCHAIN}/stanc")
  message(FATAL_ERROR "STAN_TOOLCHAIN is \"${STAN_TOOLCHAIN}\", where no stanc is: "
    "run scripts/stan_toolchain.py FOLDER, and configure with -DSTAN_TOOLCHAIN=FOLDER")
endif()
find_package(Threads REQUIRED)

if(NOT TARGET stan::stan)
  add_library(stan::stan INTERFACE IMPORTED)
  target_include_directories(stan::stan SYSTEM INTERFACE "${STAN_TOOLCHAIN}/include")
  target_compile_definitions(stan::stan INTERFACE _REENTRANT STAN_THREADS BOOST_DISABLE_ASSERTS)
  target_link_libraries(stan::stan INTERFACE "${STAN_TOOLCHAIN}/lib/libtbb.so.2" Threads::Threads)
endif()

# Translates a model. Sources of the target may then include it by its name, with .hpp in place of .stan.
function(stan_model target model)
  get_filename_component(name "${model}" NAME_WE)
  set(header "${CMAKE_CURRENT_BINARY_DIR}/${target}-stan/${name}.hpp")
  add_custom_command(
    OUTPUT "${header}"
    COMMAND "${CMAKE_COMMAND}" -E make_directory "${CMAKE_CURRENT_BINARY_DIR}/${target}-stan"
    COMMAND "${STAN_TOOLCHAIN}/stanc" "--o=${header}" "${CMAKE_CURRENT_SOURCE_DIR}/${model}"
    DEPENDS "${model}"
    VERBATIM)
  target_sources(${target} PRIVATE "${header}")
  target_include_directories(${target} SYSTEM PRIVATE "${CMAKE_CURRENT_BINARY_DIR}/${target}-stan")
endfunction()
