module pirnbench

// 1.23: channel timers without stale values, which is what pirn's timers are compared with.
go 1.23
