# Files and lines in reports: GCC's package brings libbacktrace, a static library without further needs. What is used of
# it becomes part of pirn, so that consumers link nothing more, under names of our own, so that a program which links
# another copy is not disturbed. Without it reports name functions and no lines.
if(NOT PIRN_LIBBACKTRACE)
  return()
endif()

# GCC and Clang both know where GCC keeps its own libraries; other compilers answer with the bare name.
execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=libbacktrace.a
  OUTPUT_VARIABLE libbacktrace OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
get_filename_component(libbacktrace_dir "${libbacktrace}" DIRECTORY)
if(NOT IS_ABSOLUTE "${libbacktrace}" OR NOT EXISTS "${libbacktrace_dir}/include/backtrace.h" OR NOT CMAKE_OBJCOPY)
  message(STATUS "No libbacktrace: reports will not name files and lines")
  return()
endif()

set(libbacktrace_work "${PROJECT_BINARY_DIR}/libbacktrace")
set(libbacktrace_object "${libbacktrace_work}/libbacktrace.o")
# Only the header: GCC's own include folder is not for other compilers.
configure_file("${libbacktrace_dir}/include/backtrace.h" "${libbacktrace_work}/backtrace.h" COPYONLY)
set(keep "")
foreach(symbol IN ITEMS backtrace_create_state backtrace_pcinfo backtrace_syminfo)
  list(APPEND keep --redefine-sym ${symbol}=pirn_${symbol} --keep-global-symbol=pirn_${symbol})
endforeach()
add_custom_command(OUTPUT "${libbacktrace_object}"
  COMMAND ${CMAKE_LINKER} -r -o "${libbacktrace_object}.all" --whole-archive "${libbacktrace}"
  COMMAND ${CMAKE_OBJCOPY} ${keep} "${libbacktrace_object}.all" "${libbacktrace_object}"
  DEPENDS "${libbacktrace}"
  COMMENT "libbacktrace as a part of pirn"
  VERBATIM)
set_source_files_properties("${libbacktrace_object}" PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
target_sources(pirn PRIVATE "${libbacktrace_object}")
set_property(SOURCE "${CMAKE_CURRENT_SOURCE_DIR}/src/debug/symbols.cpp" APPEND PROPERTY COMPILE_DEFINITIONS PIRN_HAVE_LIBBACKTRACE=1)
set_property(SOURCE "${CMAKE_CURRENT_SOURCE_DIR}/src/debug/symbols.cpp" APPEND PROPERTY INCLUDE_DIRECTORIES "${libbacktrace_work}")
set_property(SOURCE "${CMAKE_CURRENT_SOURCE_DIR}/src/debug/symbols.cpp" APPEND PROPERTY OBJECT_DEPENDS "${libbacktrace_object}")
