//! What every workload uses: counts, the clock, medians, the check, and the samples it hands back.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

pub type Body = fn(RunState) -> Pin<Box<dyn Future<Output = RunState> + Send>>;

pub struct Workload {
    pub name: &'static str,
    pub unit: &'static str,
    pub body: Body,
}

/// A table row from an `async fn(RunState) -> RunState`.
macro_rules! workload {
    ($name:expr, $unit:expr, $body:expr) => {
        crate::measure::Workload { name: $name, unit: $unit, body: |r| Box::pin($body(r)) }
    };
}
pub(crate) use workload;

pub struct Sample {
    pub name: String,
    pub value: f64,
    pub unit: &'static str,
}

pub struct RunState {
    pub procs: i64,
    pub smoke: bool,
    pub name: &'static str,
    pub unit: &'static str,
    pub samples: Vec<Sample>,
}

impl RunState {
    /// The full amount of work, or the tiny one under --smoke.
    pub fn count(&self, full: i64, tiny: i64) -> i64 {
        if self.smoke { tiny } else { full }
    }

    pub fn report(mut self, value: f64) -> Self {
        self.samples.push(Sample { name: self.name.into(), value, unit: self.unit });
        self
    }

    pub fn report_part(mut self, part: &str, value: f64, unit: &'static str) -> Self {
        self.samples.push(Sample { name: format!("{}.{part}", self.name), value, unit });
        self
    }
}

/// What a failed check is thrown as.
pub struct CheckFailed(pub String);

/// Ends the workload with a failed check unless the condition holds.
macro_rules! require {
    ($holds:expr, $($text:tt)*) => {
        if !$holds {
            std::panic::panic_any(crate::measure::CheckFailed(format!($($text)*)));
        }
    };
}
pub(crate) use require;

/// Runs the batch twice to warm up, then that many times against the clock.
macro_rules! median_ns {
    ($r:expr, $batches:expr, $batch:block) => {{
        let mut times = Vec::new();
        for round in -$r.count(2, 1)..$r.count($batches, 1) {
            let start = std::time::Instant::now();
            $batch
            if round >= 0 {
                times.push(start.elapsed().as_nanos() as f64);
            }
        }
        crate::measure::median(times)
    }};
}
pub(crate) use median_ns;

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

pub const SLOTS: i64 = 100_000;

/// Each task of a crowd marks its own slot, so that one that never ran, or a wait that came back early, is seen.
static MARKS: [AtomicU8; SLOTS as usize] = [const { AtomicU8::new(0) }; SLOTS as usize];

/// Only the task that owns the slot writes it, so no locked instruction is needed.
pub fn add_mark(mark: &AtomicU8) {
    mark.store(mark.load(Relaxed) + 1, Relaxed);
}

pub fn mark_slot(i: i64) {
    add_mark(&MARKS[i as usize]);
}

pub fn clear_slots(n: i64) {
    for mark in &MARKS[..n as usize] {
        mark.store(0, Relaxed);
    }
}

pub fn require_slots(n: i64) {
    for (i, mark) in MARKS[..n as usize].iter().enumerate() {
        require!(mark.load(Relaxed) == 1, "task {i} did not run before the wait returned");
    }
}

/// A cache line each, and the neighbour that is fetched with it.
#[repr(align(128))]
#[derive(Default)]
pub struct Apart<T>(pub T);
