// Everything but net, http, tls and the diagnostics servers.
#pragma once

#include "pirn/chan.h"
#include "pirn/context.h"
#include "pirn/errgroup.h"
#include "pirn/go.h"
#include "pirn/runtime.h"
#include "pirn/select.h"
#include "pirn/singleflight.h"
#include "pirn/sync.h"
#include "pirn/time.h"
#include "pirn/version.h"
