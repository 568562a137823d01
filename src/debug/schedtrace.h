// The scheduler's state in lines, every so often: schedtrace and scheddetail of PIRN_DEBUG and GODEBUG. Layer: debug.
#pragma once

#include <cstdint>
#include <string>

#include "sched/scheduler.h"

namespace pirn::rt {

// Reads what the environment asks for, at the beginning of a run.
void begin_schedtrace(const scheduler& s);
// The instant of the next line; k_forever when none is asked for.
std::int64_t next_schedtrace() noexcept;
// Writes a line if it is time. By sysmon.
void serve_schedtrace(scheduler& s);

// One line, and with `detail` one for each P, M and G as well.
void describe_scheduler(scheduler& s, bool detail, std::string& to);

}  // namespace pirn::rt
