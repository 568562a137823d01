//! Tokio's side of the comparison: the workloads of bench/pirn, loop for loop, in the Rust anyone would write, as far
//! as Tokio has the thing. One process takes one sample. Same command line as pirn-bench:
//!
//!     tokio-bench --list
//!     tokio-bench --run NAME --procs N
//!     tokio-bench --smoke [--run NAME] [--procs N]
//!
//! Not here: channels of capacity 0, channels with several receivers, and wait groups, which Tokio does not have.

mod apps;
mod channels;
mod idle;
mod measure;
mod mutex;
mod parked;
mod sched;
mod select;
mod spawn;
mod sync;
mod timers;

use measure::{CheckFailed, RunState, Workload};
use std::future::Future;
use std::panic;
use std::process::exit;

/// Every workload in the order in which tables show them.
const FAMILIES: &[&[Workload]] = &[
    spawn::WORKLOADS,
    channels::WORKLOADS,
    sched::WORKLOADS,
    mutex::WORKLOADS,
    sync::WORKLOADS,
    select::WORKLOADS,
    timers::WORKLOADS,
    apps::WORKLOADS,
    parked::WORKLOADS,
    idle::WORKLOADS,
];

#[derive(Default)]
struct Options {
    list: bool,
    smoke: bool,
    subject: bool,
    run: Option<String>,
    procs: i64,
}

fn usage(text: &str) -> ! {
    eprintln!("tokio-bench: {text}");
    exit(2)
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Options {
    let mut o = Options { procs: 1, ..Default::default() };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| usage(&format!("{argument} needs a value")));
        match argument.as_str() {
            "--list" => o.list = true,
            "--smoke" => o.smoke = true,
            "--idle-subject" => o.subject = true,
            "--run" => o.run = Some(value()),
            "--procs" => {
                let text = value();
                o.procs = match text.parse() {
                    Ok(n) if (1..=4096).contains(&n) => n,
                    _ => usage(&format!("--procs takes a number from 1 to 4096, not '{text}'")),
                };
            }
            _ => usage(&format!("unknown argument '{argument}'")),
        }
    }
    o
}

/// Runs the future as a task, since one that `block_on` polls itself is slower at everything: on one proc in the
/// scheduler of one thread, on more in the one that steals.
fn in_runtime<T: Send + 'static>(procs: i64, body: impl Future<Output = T> + Send + 'static) -> Result<T, CheckFailed> {
    let runtime = if procs == 1 {
        tokio::runtime::Builder::new_current_thread().enable_time().build()
    } else {
        tokio::runtime::Builder::new_multi_thread().worker_threads(procs as usize).enable_time().build()
    }
    .expect("the runtime does not start");
    runtime.block_on(async { tokio::spawn(body).await }).map_err(|error| match error.into_panic().downcast() {
        Ok(failure) => *failure,
        Err(other) => panic::resume_unwind(other),
    })
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        if c == '"' || c == '\\' {
            out.push('\\');
        }
        out.push(if c < ' ' { ' ' } else { c });
    }
    out + "\""
}

fn print(name: &str, procs: i64, value: f64, unit: &str, check: &str) {
    println!(
        "{{\"name\":{},\"procs\":{procs},\"value\":{value},\"unit\":{},\"check\":{}}}",
        quoted(name),
        quoted(unit),
        quoted(check)
    );
}

/// Runs a workload and prints its samples; tells whether its own check held.
fn run_one(w: &Workload, o: &Options) -> bool {
    let state = RunState { procs: o.procs, smoke: o.smoke, name: w.name, unit: w.unit, samples: Vec::new() };
    match in_runtime(o.procs, (w.body)(state)) {
        Ok(state) => {
            for s in &state.samples {
                print(&s.name, o.procs, s.value, s.unit, "ok");
            }
            true
        }
        Err(CheckFailed(text)) => {
            print(w.name, o.procs, 0.0, w.unit, &format!("failed: {text}"));
            false
        }
    }
}

fn main() {
    let o = parse(std::env::args().skip(1));
    let stock = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !info.payload().is::<CheckFailed>() {
            stock(info);
        }
    }));
    if o.subject {
        let Ok(()) = in_runtime(o.procs, idle::subject()) else { exit(1) };
    }
    let (mut found, mut ok) = (false, true);
    for w in FAMILIES.iter().copied().flatten() {
        if o.list {
            println!("{}", w.name);
        } else if o.run.as_deref().map_or(o.smoke, |name| name == w.name) {
            found = true;
            ok &= run_one(w, &o);
        }
    }
    if o.list {
        return;
    }
    match &o.run {
        None if !o.smoke => usage("one of --list, --run NAME or --smoke is needed"),
        Some(name) if !found => usage(&format!("unknown workload '{name}' (see --list)")),
        _ => exit(if ok { 0 } else { 1 }),
    }
}
