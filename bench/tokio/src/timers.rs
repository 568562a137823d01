//! What do timers cost to move, to arm and disarm, and how late do sleepers wake, many and alone?

use crate::measure::*;
use crate::spawn::join_all;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::time::{Sleep, sleep};

pub const WORKLOADS: &[Workload] = &[
    workload!("timer_reset", "ns/op", timer_reset),
    workload!("timer_start_stop", "ns/op", timer_start_stop),
    workload!("sleep_100k", "ms", sleep_many),
    workload!("sleep_100k_cold", "ms", sleep_many_cold),
    workload!("sleep_50us_overshoot", "us", sleep_overshoot),
];

const HOUR: Duration = Duration::from_secs(3600);

/// A sleep is armed when it is first polled; tells whether it then waits.
async fn armed(mut timer: Pin<&mut Sleep>) -> bool {
    poll_fn(|context| Poll::Ready(timer.as_mut().poll(context).is_pending())).await
}

async fn timer_reset(r: RunState) -> RunState {
    let n = r.count(300_000, 100);
    let mut timer = Box::pin(sleep(HOUR));
    require!(armed(timer.as_mut()).await, "the timer does not run");
    let ns = median_ns!(r, 7, {
        let mut active = 0;
        for _ in 0..n {
            active += i64::from(!timer.is_elapsed());
            timer.as_mut().reset(tokio::time::Instant::now() + HOUR);
        }
        require!(active == n, "{active} of {n} resets found the timer running");
    });
    require!(!timer.is_elapsed(), "the timer was not running at the end");
    r.report(ns / n as f64)
}

async fn timer_start_stop(r: RunState) -> RunState {
    let n = r.count(100_000, 100);
    let ns = median_ns!(r, 7, {
        let mut stopped = 0;
        for _ in 0..n {
            let timer = pin!(sleep(HOUR));
            stopped += i64::from(armed(timer).await);
        }
        require!(stopped == n, "{stopped} of {n} timers stopped");
    });
    r.report(ns / n as f64)
}

const MANY_SLEEP: Duration = Duration::from_millis(100);

async fn sleep_all(n: i64) -> f64 {
    clear_slots(n);
    let start = Instant::now();
    let crowd = (0..n).map(|i| {
        tokio::spawn(async move {
            sleep(MANY_SLEEP).await;
            mark_slot(i);
        })
    });
    join_all(crowd.collect()).await;
    let took = start.elapsed();
    require_slots(n);
    require!(took >= MANY_SLEEP, "all woke after {took:?}");
    took.as_nanos() as f64 / 1e6
}

async fn sleep_many(r: RunState) -> RunState {
    let n = r.count(SLOTS, 1000);
    sleep_all(n).await;
    let mut times = Vec::new();
    for _ in 0..r.count(5, 1) {
        times.push(sleep_all(n).await);
    }
    r.report(median(times))
}

async fn sleep_many_cold(r: RunState) -> RunState {
    let took = sleep_all(r.count(SLOTS, 1000)).await;
    r.report(took)
}

async fn sleep_overshoot(r: RunState) -> RunState {
    const ASKED: Duration = Duration::from_micros(50);
    let n = r.count(1000, 10);
    let mut late = Vec::new();
    for i in -n / 10..n {
        let start = Instant::now();
        sleep(ASKED).await;
        let took = start.elapsed();
        require!(took >= ASKED, "woke after {took:?}");
        if i >= 0 {
            late.push((took - ASKED).as_nanos() as f64 / 1e3);
        }
    }
    r.report(median(late))
}
