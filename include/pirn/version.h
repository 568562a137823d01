// The library's version, as macros for the preprocessor. The build reads it from here.
#pragma once

#define PIRN_VERSION_MAJOR 0
#define PIRN_VERSION_MINOR 1
#define PIRN_VERSION_PATCH 0
#define PIRN_VERSION "0.1.0"
