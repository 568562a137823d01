//! What does a program cost that has nothing to do, or next to nothing?

use crate::measure::*;
use crate::spawn::join_all;
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::{Duration, Instant};
use tokio::time::sleep;

pub const WORKLOADS: &[Workload] = &[
    workload!("idle_5s", "voluntary switches", idle),
    workload!("one_task_per_ms", "% of a CPU", one_task_per_ms),
];

/// The process that idle_5s watches: it has worked, then waits in a long sleep.
pub async fn subject() {
    join_all((0..1000).map(|_| tokio::spawn(sleep(Duration::from_millis(1)))).collect()).await;
    println!("ready");
    sleep(Duration::from_secs(3600)).await;
}

/// The voluntary context switches of every thread of a process.
fn voluntary_switches(pid: u32) -> HashMap<std::ffi::OsString, i64> {
    let mut counts = HashMap::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).expect("no threads to be seen") {
        let task = task.expect("no threads to be seen");
        let status = std::fs::read_to_string(task.path().join("status")).expect("no status");
        let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        counts.insert(task.file_name(), count.and_then(|text| text.trim().parse().ok()).expect("no switch count"));
    }
    counts
}

/// A child that is killed and reaped on every way out.
struct Subject(Child);

impl Drop for Subject {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The watcher is another process, because whoever counts in the same one would have to wake up for it; so this one's
/// threads may be blocked.
async fn idle(r: RunState) -> RunState {
    let this = std::env::current_exe().expect("no path of this program");
    let mut command = Command::new(this);
    command.args(["--idle-subject", "--procs", &r.procs.to_string()]).stdout(Stdio::piped());
    let mut subject = Subject(command.spawn().expect("the subject did not start"));
    let mut line = String::new();
    let read = BufReader::new(subject.0.stdout.take().expect("no pipe")).read_line(&mut line);
    require!(read.is_ok() && line == "ready\n", "the subject did not get ready");
    std::thread::sleep(Duration::from_millis(r.count(500, 50) as u64));
    let mut before = voluntary_switches(subject.0.id());
    std::thread::sleep(Duration::from_millis(r.count(5000, 50) as u64));
    let mut sum = 0;
    for (thread, count) in voluntary_switches(subject.0.id()) {
        sum += count - before.remove(&thread).unwrap_or(0);
    }
    // A thread that has ended must have woken to do so.
    r.report((sum + before.len() as i64) as f64)
}

fn cpu_seconds() -> f64 {
    // SAFETY: getrusage only fills the struct that it is given, and zeros are valid in every field.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        require!(libc::getrusage(libc::RUSAGE_SELF, &mut usage) == 0, "getrusage failed");
        usage
    };
    let seconds = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

async fn one_task_per_ms(r: RunState) -> RunState {
    let (warm, n) = (r.count(200, 2), r.count(3000, 20));
    let done = Arc::new(AtomicI64::new(0));
    let mut ticker = tokio::time::interval(Duration::from_millis(1));
    let (mut start, mut cpu) = (Instant::now(), 0.0);
    let mut crowd = Vec::with_capacity((warm + n) as usize);
    for i in 0..warm + n {
        if i == warm {
            (start, cpu) = (Instant::now(), cpu_seconds());
        }
        ticker.tick().await;
        let done = done.clone();
        crowd.push(tokio::spawn(async move {
            done.fetch_add(1, SeqCst);
        }));
    }
    join_all(crowd).await;
    let (cpu, wall) = (cpu_seconds() - cpu, start.elapsed().as_secs_f64());
    let done = done.load(SeqCst);
    require!(done == warm + n, "{done} of {} tasks ran", warm + n);
    r.report(100.0 * cpu / wall).report_part("rate", n as f64 / wall, "tasks/s")
}
