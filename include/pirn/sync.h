// Locks and waiting. All of it works between goroutines and plain threads alike, inside a run and outside.
#pragma once

#include "pirn/go.h"
#include "pirn/sync/barrier.h"
#include "pirn/sync/condition_variable.h"
#include "pirn/sync/latch.h"
#include "pirn/sync/mutex.h"
#include "pirn/sync/once.h"
#include "pirn/sync/semaphore.h"
#include "pirn/sync/shared_mutex.h"
#include "pirn/sync/wait_group.h"
